/* SPDX-License-Identifier: Apache-2.0 */
/* docs/man/berth.conf.5: its options are those of the table, each with what its value may be. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "config_table.h"

#define TEXT_MAX ((size_t)256 * 1024)
/* Between these lines of the page stands what is made here. */
#define BEGIN ".\\\" Made from the table of options: unit.config_manual says when it differs.\n"
#define END   ".\\\" That was made from the table.\n"

/* How the page shows what stands behind "name =". */
static const char *const PLACEHOLDERS[BERTH_OPTION_TYPES] = {
    [BERTH_OPTION_LABEL] = "name",
    [BERTH_OPTION_WORD] = "name",
    [BERTH_OPTION_TOPIC] = "topic",
    [BERTH_OPTION_TEXT] = "text",
    [BERTH_OPTION_PATH] = "path",
    [BERTH_OPTION_SECRET_FILE] = "path",
    [BERTH_OPTION_UUID] = "uuid",
    [BERTH_OPTION_URL] = "url",
    [BERTH_OPTION_ADDRESS] = "host:port",
    [BERTH_OPTION_BOOLEAN] = "yes|no",
    [BERTH_OPTION_INTEGER] = "number",
    [BERTH_OPTION_CHOICE] = NULL, /* Its choices. */
    [BERTH_OPTION_NAMES] = "space, ...",
    [BERTH_OPTION_HEADERS] = "line, ...",
    [BERTH_OPTION_PROXY] = "url",
    [BERTH_OPTION_PROPERTY] = "value",
    [BERTH_OPTION_SERVER] = "host:port|path",
};

#define PUT(out, ...) assert_int_equal(berth_buffer_printf(out, __VA_ARGS__), BERTH_OK)

/* One sentence or more, a line of roff each. What roff would take for its own is written so that it
 * doesn't; `words` between backticks are bold. */
static void put_text(struct berth_buffer *out, const char *text) {
    bool bold = false;
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '\\':
            PUT(out, "\\e");
            break;
        case '`':
            bold = !bold;
            PUT(out, "%s", bold ? "\\fB" : "\\fR");
            break;
        case '\'':
        case '.':
            PUT(out, "%s%c", at == text || at[-1] == '\n' ? "\\&" : "", *at);
            break;
        case '-':
            PUT(out, "%s", at[1] == '-' || (at > text && at[-1] == '-') ? "\\-" : "-");
            break;
        default:
            PUT(out, "%c", *at);
            break;
        }
    }
    assert_false(bold);
    PUT(out, "\n");
}

static void put_bounds(struct berth_buffer *out, const struct berth_config_option *option) {
    const char *unit = option->unit != NULL ? option->unit : "";
    switch ((int)option->type) {
    case BERTH_OPTION_INTEGER:
        PUT(out, "From %" PRId64 " to %" PRId64 "%s%s.\n", option->min, option->max,
            unit[0] != '\0' ? " " : "", unit);
        break;
    case BERTH_OPTION_LABEL:
        PUT(out, "1 to %" PRId64 " lower-case letters, digits and hyphens.\n", option->max);
        break;
    case BERTH_OPTION_WORD:
        PUT(out, "1 to %" PRId64 " letters, digits, dots, underscores and hyphens.\n", option->max);
        break;
    case BERTH_OPTION_TEXT:
        PUT(out, "Up to %" PRId64 " bytes.\n", option->max);
        break;
    case BERTH_OPTION_SECRET_FILE:
        PUT(out, "The file holds %" PRId64 " to %" PRId64 " bytes.\n", option->min, option->max);
        break;
    default:
        break;
    }
}

static void put_option(struct berth_buffer *out, const struct berth_config_option *option) {
    PUT(out, ".It Ic %s = Ar ", option->name);
    if (option->type == BERTH_OPTION_CHOICE) {
        for (int i = 0; option->choices[i] != NULL; i++) {
            PUT(out, "%s%s", i > 0 ? "|" : "", option->choices[i]);
        }
    } else {
        PUT(out, "%s", PLACEHOLDERS[option->type]);
    }
    PUT(out, "\n");
    put_text(out, option->help);
    put_bounds(out, option);
    if (option->value != NULL) {
        PUT(out, "Default:\n.Li %s\n", option->value);
    } else if (option->need == BERTH_NEEDED_BY_ALL) {
        PUT(out, "Required.\n");
    } else if (option->need == BERTH_NEEDED_BY_DAEMON) {
        PUT(out, "Required by berthd.\n");
    }
    if (option->reloads) {
        PUT(out, "Reloaded by SIGHUP.\n");
    }
}

static void put_options(struct berth_buffer *out) {
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (int id = 0; id < BERTH_SECTIONS; id++) {
        enum berth_config_section_id section = (enum berth_config_section_id)id;
        PUT(out, ".Ss Section [%s%s]\n", berth_config_section_name(section),
            section == BERTH_SECTION_REGISTRY ? " NAME" : "");
        put_text(out, berth_config_section_help(section));
        PUT(out, ".Bl -tag -width Ds\n");
        for (size_t i = 0; i < count; i++) {
            if (table[i].section == section) {
                put_option(out, &table[i]);
            }
        }
        PUT(out, ".El\n");
    }
}

/* The page, with a NUL behind it. */
static char *read_page(void) {
    FILE *file = fopen(BERTH_CONFIG_MANUAL, "re");
    assert_non_null(file);
    char *text = calloc(TEXT_MAX, 1);
    assert_non_null(text);
    assert_true(fread(text, 1, TEXT_MAX - 1, file) < TEXT_MAX - 1);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* No option may be missing from the page, nor be there with another default, unit or range. When
 * this fails, the right page is next to the test's program. */
static void test_the_options_of_the_manual_are_the_tables(void **state) {
    (void)state;
    char *there = read_page();
    const char *begin = strstr(there, BEGIN);
    const char *end = strstr(there, END);
    assert_non_null(begin);
    assert_non_null(end);
    struct berth_buffer made;
    berth_buffer_init(&made, TEXT_MAX);
    PUT(&made, "%.*s", (int)(begin - there), there);
    PUT(&made, "%s", BEGIN);
    put_options(&made);
    PUT(&made, "%s", end);
    if (strcmp(there, (const char *)made.data) != 0) {
        FILE *file = fopen("berth.conf.5", "we");
        assert_non_null(file);
        assert_int_equal(fwrite(made.data, 1, made.len, file), made.len);
        assert_int_equal(fclose(file), 0);
        print_error("copy berth.conf.5 from the test's folder to %s\n", BERTH_CONFIG_MANUAL);
    }
    assert_string_equal(there, (const char *)made.data);
    free(there);
    berth_buffer_deinit(&made);
}

/* The next block of lines that the page shows as they are, from *at on, which moves behind it. The
 * secrets that it names are nowhere: the fixture's own take their place. */
static void put_block(struct berth_buffer *out, const char **at) {
    const char *line = strstr(*at, "\n.Bd -literal");
    assert_non_null(line);
    line = strchr(line + 1, '\n') + 1;
    while (strncmp(line, ".Ed", 3) != 0) {
        size_t len = strcspn(line, "\n");
        const char *equals = memchr(line, '=', len);
        const char *file = memmem(line, len, "_file = ", strlen("_file = "));
        file = file != NULL ? file : memmem(line, len, ".location = ", strlen(".location = "));
        if (file != NULL && equals != NULL) {
            bool master = strncmp(line, "master", strlen("master")) == 0;
            PUT(out, "%.*s= @/%s\n", (int)(equals - line), line, master ? "master" : "password");
        } else {
            PUT(out, "%.*s\n", (int)len, line);
        }
        line += len + 1;
    }
    *at = line;
}

/* Whoever begins with them shouldn't have to repair them first. */
static void test_the_examples_of_the_manual_are_accepted(void **state) {
    struct config_fixture *fixture = *state;
    char *page = read_page();
    const char *at = strstr(page, "\n.Sh EXAMPLES");
    assert_non_null(at);
    struct berth_buffer text;
    berth_buffer_init(&text, TEXT_MAX);
    put_block(&text, &at);
    config_fixture_assert_accepted(fixture, (const char *)text.data, "");

    /* The logins to Kafka. */
    for (int i = 0; i < 2; i++) {
        berth_buffer_clear(&text);
        PUT(&text, "%s", CONFIG_BERTH);
        put_block(&text, &at);
        PUT(&text, "%s", CONFIG_REGISTRY);
        config_fixture_assert_accepted(fixture, (const char *)text.data, "");
    }
    assert_null(strstr(at, "\n.Bd"));
    berth_buffer_deinit(&text);
    free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_options_of_the_manual_are_the_tables),
        cmocka_unit_test_setup_teardown(test_the_examples_of_the_manual_are_accepted,
                                        config_fixture_setup, config_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
