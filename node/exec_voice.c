/* exec_voice.c: see exec_voice.h. */
#include "exec_voice.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOTE_BYTES (EXEC_VOICE_BYTES + 128)

static void tell_left_out(struct exec_voice *voice)
{
    char note[NOTE_BYTES];
    if (!voice->left_out)
        return;
    snprintf(note, sizeof note, "%s: its program said %" PRId64 " more lines",
             voice->who, voice->left_out);
    voice->left_out = 0;
    voice->on_note(voice->context, note);
}

static void end_line(struct exec_voice *voice, usec_t now)
{
    char note[NOTE_BYTES];
    voice->line[voice->len] = '\0';
    voice->len = 0;
    if (!voice->line[0])
        return;
    memcpy(voice->last, voice->line, sizeof voice->last);
    if (now - voice->second >= USEC_PER_SEC) {
        tell_left_out(voice);
        voice->second = now;
        voice->n = 0;
    }
    if (voice->n++ >= EXEC_VOICE_LINES) {
        voice->left_out++;
        return;
    }
    snprintf(note, sizeof note, "%s: its program says: %s", voice->who,
             voice->line);
    voice->on_note(voice->context, note);
}

void exec_voice_hear(struct exec_voice *voice, struct slice said, usec_t now)
{
    for (size_t i = 0; i < said.len; i++) {
        char c = said.data[i];
        if (c == '\n')
            end_line(voice, now);
        else if (voice->len + 1 < sizeof voice->line)
            voice->line[voice->len++] = iscntrl((unsigned char)c) ? ' ' : c;
    }
}

void exec_voice_end(struct exec_voice *voice, usec_t now)
{
    if (voice->len)
        end_line(voice, now);
    tell_left_out(voice);
}
