/* command_keygen.c: `windrow keygen`: the keys of a cluster (wire/curve.h). */
#include <stdio.h>

#include "commands.h"
#include "wire/curve.h"

int command_keygen(const struct options *options)
{
    struct error err = ERROR_NONE;
    const char *folder = options->argument, *node = options->node;
    int status = node ? curve_make_node(folder, node, options->if_missing, &err)
                      : curve_make_folder(folder, options->if_missing, &err);
    if (status) {
        fprintf(stderr, "windrow: %s\n", err.text);
        return error_code_kind(err.code) == ERROR_USER ? EXIT_BAD_USAGE
                                                       : EXIT_NOT_FINISHED;
    }
    if (node)
        printf("%s: %s.key, and %s is allowed\n", folder, node, node);
    else
        printf("%s: master.key, master.pub, node.key, and node is allowed\n",
               folder);
    return 0;
}
