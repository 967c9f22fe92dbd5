#include "text/labels.h"

#include "base/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 20

void llmc_labels_release(struct llmc_labels *labels)
{
    for (int32_t i = 0; i < labels->count; i++)
        free(labels->names[i]);
    free(labels->names);
    *labels = (struct llmc_labels){0};
}

llmc_status llmc_labels_copy(struct llmc_labels *out, const struct llmc_labels *labels)
{
    llmc_status status = LLMC_OK;
    *out = (struct llmc_labels){0};
    for (int32_t i = 0; i < labels->count; i++)
        LLMC_TRY(llmc_labels_add(out, labels->names[i]));
exit:
    if (status != LLMC_OK)
        llmc_labels_release(out);
    return status;
}

int32_t llmc_labels_find(const struct llmc_labels *labels, const char *name)
{
    for (int32_t i = 0; i < labels->count; i++)
        if (strcmp(labels->names[i], name) == 0)
            return i;
    return -1;
}

llmc_status llmc_labels_add(struct llmc_labels *labels, const char *name)
{
    char *copy = NULL;
    char **names = realloc(labels->names, ((size_t)labels->count + 1) * sizeof *names);
    if (!names)
        return llmc_error(LLMC_ERR_MEMORY, "cannot allocate memory for %d labels", labels->count + 1);
    labels->names = names;
    llmc_status status = llmc_strdup(&copy, name);
    if (status == LLMC_OK)
        labels->names[labels->count++] = copy;
    return status;
}

static bool as_integer(const char *name, long long *value)
{
    char *end;
    errno = 0;
    *value = strtoll(name, &end, 10);
    /* strtoll would skip spaces and take a plus sign: such names stay text. */
    return errno == 0 && end != name && *end == 0 && (*name == '-' || (*name >= '0' && *name <= '9'));
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_integers(const void *a, const void *b)
{
    long long x = 0, y = 0;
    as_integer(*(char *const *)a, &x);
    as_integer(*(char *const *)b, &y);
    return x != y ? (x > y) - (x < y) : compare_text(a, b); /* "1" and "01" are two labels */
}

void llmc_labels_sort(struct llmc_labels *labels)
{
    bool integers = true;
    long long value;
    for (int32_t i = 0; i < labels->count; i++)
        integers = integers && as_integer(labels->names[i], &value);
    if (labels->count > 1)
        qsort(labels->names, (size_t)labels->count, sizeof *labels->names, integers ? compare_integers : compare_text);
}

llmc_status llmc_labels_lines(const struct llmc_labels *labels, char **out)
{
    size_t nbytes = 1;
    for (int32_t i = 0; i < labels->count; i++)
        nbytes += strlen(labels->names[i]) + 1;
    llmc_status status = llmc_alloc(out, nbytes, 1);
    char *end = *out;
    for (int32_t i = 0; status == LLMC_OK && i < labels->count; i++) {
        end = stpcpy(end, labels->names[i]);
        *end++ = '\n';
    }
    return status;
}

llmc_status llmc_labels_list(const struct llmc_labels *labels, char **out)
{
    llmc_status status = LLMC_OK;
    char *list = NULL, *longer;
    LLMC_TRY(llmc_strdup(&list, ""));
    for (int32_t i = 0; i < labels->count && i < LISTED_MAX; i++) {
        LLMC_TRY(llmc_format(&longer, "%s%s\"%s\"", list, i ? ", " : "", labels->names[i]));
        free(list);
        list = longer;
    }
    if (labels->count > LISTED_MAX) {
        LLMC_TRY(llmc_format(&longer, "%s and %d more", list, labels->count - LISTED_MAX));
        free(list);
        list = longer;
    }
    *out = list;
    list = NULL;
exit:
    free(list);
    return status;
}
