/* SPDX-License-Identifier: Apache-2.0 */
/* berth send --batch: one command a line. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "send_outgoing.h"

#define LINES_MAX 100000
/* Enough for every workspace that a command may name. */
#define LINE_BYTES_MAX ((size_t)256 * 1024)
#define WHERE_BYTES    64

static enum cli_exit add_line(struct cli_outgoing_list *list, const struct cli *cli, char *line,
                              int number);
static char **split(char *name, char *line, int *ret_count);

enum cli_exit cli_outgoing_add_batch(struct cli_outgoing_list *list, const struct cli *cli,
                                     const char *path) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = malloc(LINE_BYTES_MAX);
    enum cli_exit worst = CLI_SUCCEEDED;
    if (file == NULL || line == NULL) {
        cli_complain("%s can't be read: %s", path, strerror(errno));
        worst = CLI_USAGE;
    }
    for (int number = 1; file != NULL && line != NULL; number++) {
        if (fgets(line, (int)LINE_BYTES_MAX, file) == NULL) {
            break;
        }
        size_t len = strlen(line);
        if (len == LINE_BYTES_MAX - 1 || number > LINES_MAX) {
            cli_complain("line %d: %s", number,
                         number > LINES_MAX ? "a batch has at most 100000 lines"
                                            : "the line is longer than 256 KiB");
            worst = CLI_USAGE;
            break;
        }
        enum cli_exit status = add_line(list, cli, line, number);
        worst = status != CLI_SUCCEEDED ? status : worst;
    }
    if (file != NULL && ferror(file) != 0) {
        cli_complain("%s can't be read", path);
        worst = CLI_FAILED;
    }
    if (file != NULL && file != stdin) {
        (void)fclose(file);
    }
    free(line);
    return worst;
}

static enum cli_exit add_line(struct cli_outgoing_list *list, const struct cli *cli, char *line,
                              int number) {
    char name[WHERE_BYTES];
    char where[WHERE_BYTES];
    (void)snprintf(name, sizeof(name), "berth: line %d", number);
    (void)snprintf(where, sizeof(where), "line %d: ", number);
    int count = 0;
    char **words = split(name, line, &count);
    if (words == NULL) {
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    enum cli_exit status = CLI_SUCCEEDED;
    if (count > 1 && words[1][0] != '#') {
        struct cli_send_request request = {0};
        error_t problem = argp_parse(&cli_send_request_argp, count, words,
                                     ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &request);
        status = problem == 0 ? cli_outgoing_add(list, cli, &request, where) : CLI_USAGE;
        cli_send_request_deinit(&request);
    }
    free(words);
    return status;
}

/* The name and the line's words, as argp wants them. NULL: no memory. */
static char **split(char *name, char *line, int *ret_count) {
    static const char blanks[] = " \t\r\n";
    size_t room = 2;
    for (const char *at = line; *at != '\0'; at++) {
        room += strchr(blanks, *at) != NULL ? 1 : 0;
    }
    char **words = calloc(room + 1, sizeof(*words));
    if (words == NULL) {
        return NULL;
    }
    int count = 0;
    words[count++] = name;
    char *rest = NULL;
    for (char *word = strtok_r(line, blanks, &rest); word != NULL;
         word = strtok_r(NULL, blanks, &rest)) {
        words[count++] = word;
    }
    *ret_count = count;
    return words;
}
