/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query: Harbor's q=, sort=, page= and page_size=, read and applied to a list.
 *
 * Grammar (goharbor/harbor src/lib/q/builder.go): terms between commas, each k=v (exact),
 * k=~v (contains, any case), k=[min~max], k={a b} (any of) or k=(a b) (left to the table, ignored
 * here as Harbor does). The text was decoded once as part of the URL and is decoded here AGAIN:
 * that is Harbor's behaviour, and the reason why a "+" must be sent as %252B.
 * Which keys a list knows is its table's business. Unknown keys are ignored, in terms and in sorts:
 * again Harbor's behaviour (src/lib/orm/query.go).
 */
#ifndef BERTH_SANDBOX_HARBOR_QUERY_H
#define BERTH_SANDBOX_HARBOR_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

#define BERTH_MODEL_QUERY_TERMS_MAX       16
#define BERTH_MODEL_QUERY_SORTS_MAX       4
#define BERTH_MODEL_QUERY_KEY_BYTES_MAX   64
#define BERTH_MODEL_QUERY_VALUE_BYTES_MAX 512
#define BERTH_MODEL_QUERY_TEXT_BYTES_MAX  4096

enum berth_model_query_kind {
    BERTH_MODEL_QUERY_EXACT,
    BERTH_MODEL_QUERY_FUZZY,
    BERTH_MODEL_QUERY_RANGE,
    BERTH_MODEL_QUERY_ANY_OF,
    BERTH_MODEL_QUERY_ALL_OF,
};

struct berth_model_query_term {
    char key[BERTH_MODEL_QUERY_KEY_BYTES_MAX];
    enum berth_model_query_kind kind;
    /* Without the signs of its kind. A range is its lower bound and, behind that one's NUL, its
     * upper bound; either may be "". */
    char value[BERTH_MODEL_QUERY_VALUE_BYTES_MAX];
};

struct berth_model_query_sort {
    char key[BERTH_MODEL_QUERY_KEY_BYTES_MAX];
    bool descending;
};

struct berth_model_query {
    size_t term_count;
    struct berth_model_query_term terms[BERTH_MODEL_QUERY_TERMS_MAX];
    size_t sort_count;
    struct berth_model_query_sort sorts[BERTH_MODEL_QUERY_SORTS_MAX];
    int64_t page;      /* From 1. */
    int64_t page_size; /* 0 or less: everything on one page. */
};

/* How a field of a row is stored, and so how it compares. */
enum berth_model_query_type {
    BERTH_MODEL_QUERY_TEXT,   /* const char * */
    BERTH_MODEL_QUERY_NUMBER, /* int64_t */
    BERTH_MODEL_QUERY_TIME,   /* int64_t, milliseconds since 1970 */
    BERTH_MODEL_QUERY_FLAG,   /* bool */
};

/* A field by the names that Harbor's mapper gives it; alias may be NULL. */
struct berth_model_query_field {
    const char *name;   /* As in Go: "ProjectID". */
    const char *column; /* "project_id". */
    const char *alias;
    enum berth_model_query_type type;
    size_t offset; /* In the row. */
};

struct berth_model_query_table {
    const struct berth_model_query_field *fields;
    size_t field_count;
    size_t default_sort; /* Index of the field that orders when no sort is given. */
};

/* One page of a list. The items are borrowed from whoever made the page. */
struct berth_model_query_page {
    const void **items; /* Owned: berth_model_query_page_deinit(). */
    size_t count;
    int64_t total; /* Of all pages. */
};

/* An empty query: everything, page 1 of 10. */
void berth_model_query_init(struct berth_model_query *query);

/*
 * Reads q= (decoded once, see above); "" and NULL mean no terms.
 * BERTH_INVALID: the message of Harbor's 400, or that one of the limits above is passed.
 */
BERTH_MUST_USE enum berth_rc berth_model_query_parse(struct berth_model_query *query,
                                                     const char *text, struct berth_error *reterr);

/* Reads sort=: keys between commas, "-" in front for descending. What passes the limits is
 * ignored, like an unknown key. */
void berth_model_query_parse_sort(struct berth_model_query *query, const char *text);

/* The term with one of two spellings of its key (the second may be NULL), or NULL. */
const struct berth_model_query_term *berth_model_query_find(const struct berth_model_query *query,
                                                            const char *key, const char *other_key);

/*
 * The smallest number that the term lets through, for a term on a number: lets a list start its
 * walk there. INT64_MIN when the term sets no lower bound.
 */
int64_t berth_model_query_lower_bound(const struct berth_model_query_term *term);

/*
 * Filters, sorts and pages count rows. Takes over items, an array on the heap, whatever happens.
 * BERTH_INVALID: PostgreSQL would refuse a comparison (a word against a number), whatever the rows,
 * which Harbor answers with 500.
 */
BERTH_MUST_USE enum berth_rc berth_model_query_apply(const struct berth_model_query *query,
                                                     const struct berth_model_query_table *table,
                                                     const void **take_items, size_t count,
                                                     struct berth_model_query_page *ret_page);

void berth_model_query_page_deinit(struct berth_model_query_page *page);

#endif
