/* cores.c: see cores.h. What can't be read does not limit. */
#include "cores.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 4096

/* "max 100000" or "200000 100000": quota and period in microseconds. */
static double quota_v2(const char *folder)
{
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    double quota = 0, period = 0;
    int found = fscanf(file, "%lf %lf", &quota, &period);
    fclose(file);
    return found == 2 && period > 0 ? quota / period : 0;
}

static double read_number(const char *folder, const char *name)
{
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    double number = 0;
    if (fscanf(file, "%lf", &number) != 1)
        number = 0;
    fclose(file);
    return number;
}

static double quota_v1(const char *folder)
{
    double quota = read_number(folder, "cpu.cfs_quota_us");
    double period = read_number(folder, "cpu.cfs_period_us");
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The least quota of a cgroup and all above it; 0: none. */
static double least_quota(const char *root, const char *group,
                          double (*quota_of)(const char *folder))
{
    char folder[PATH_BYTES];
    size_t root_len = strlen(root);
    int len = snprintf(folder, sizeof folder, "%s%s", root, group);
    if (len < 0 || (size_t)len >= sizeof folder)
        return 0;
    double least = 0;
    for (;;) {
        double quota = quota_of(folder);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < root_len)
            return least;
        *slash = '\0';
    }
}

static double cgroup_quota(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return 0;
    char line[PATH_BYTES];
    double quota = 0;
    while (quota == 0 && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        if (!*controllers) /* version 2 has one line, without controllers */
            quota = least_quota("/sys/fs/cgroup", group, quota_v2);
        else if (!strncmp(controllers, "cpu,", 4) ||
                 !strcmp(controllers, "cpu"))
            quota = least_quota("/sys/fs/cgroup/cpu", group, quota_v1);
    }
    fclose(file);
    return quota;
}

void cores_read(struct cores *ret)
{
    *ret = (struct cores){0};
    cpu_set_t mask;
    CPU_ZERO(&mask);
    if (sched_getaffinity(0, sizeof mask, &mask) == 0)
        for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &mask))
                ret->cpus[ret->n_cpus++] = (int)cpu;
    if (ret->n_cpus == 0)
        ret->cpus[ret->n_cpus++] = 0;
    ret->n_granted = ret->n_cpus;
    double quota = cgroup_quota();
    if (quota > 0 && quota < (double)ret->n_cpus)
        ret->n_granted = quota < 1 ? 1 : (size_t)quota;
}
