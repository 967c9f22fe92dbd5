#include "base/memory.h"
#include "text/labels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* *out = what counts of a name: without blanks around it, without case, "LABEL_n" as "n". */
static llmc_status fold(char **out, const char *name)
{
    static const char blanks[] = " \t\r\n\v\f", unnamed[] = "label_";
    name += strspn(name, blanks);
    size_t length = strlen(name);
    while (length > 0 && strchr(blanks, name[length - 1]))
        length--;
    uint8_t *folded = NULL;
    utf8proc_ssize_t nbytes = utf8proc_map((const uint8_t *)name, (utf8proc_ssize_t)length, &folded,
                                           UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
    if (nbytes < 0)
        return llmc_error(LLMC_ERR_DATA, "label \"%.100s\": %s", name, utf8proc_errmsg(nbytes));
    char *text = (char *)folded;
    const char *number = text + strlen(unnamed);
    if (strncmp(text, unnamed, strlen(unnamed)) == 0 && *number && strspn(number, "0123456789") == strlen(number))
        memmove(text, number, strlen(number) + 1);
    *out = text;
    return LLMC_OK;
}

static llmc_status fold_all(struct llmc_labels *out, const struct llmc_labels *labels)
{
    llmc_status status = LLMC_OK;
    LLMC_TRY(llmc_alloc(&out->names, (size_t)labels->count, sizeof *out->names));
    for (; out->count < labels->count; out->count++)
        LLMC_TRY(fold(&out->names[out->count], labels->names[out->count]));
exit:
    return status;
}

/* The index of `name`: -1 when it is not there or there twice. */
static int32_t find_only(const struct llmc_labels *labels, const char *name)
{
    int32_t found = -1;
    for (int32_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->names[i], name) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

/* Puts the data's names in place of those outputs' that agree with them; *all = whether every name of the data found an
 * output of its own. */
static llmc_status match_names(struct llmc_labels *out, const struct llmc_labels *data, bool *all)
{
    llmc_status status = LLMC_OK;
    struct llmc_labels theirs = {0}, ours = {0};
    *all = true;
    LLMC_TRY(fold_all(&theirs, out));
    LLMC_TRY(fold_all(&ours, data));
    for (int32_t i = 0; i < data->count && *all; i++) {
        int32_t at = find_only(&theirs, ours.names[i]);
        *all = at >= 0 && find_only(&ours, ours.names[i]) == i;
        if (*all) {
            free(out->names[at]);
            out->names[at] = NULL;
            LLMC_TRY(llmc_strdup(&out->names[at], data->names[i]));
        }
    }
exit:
    llmc_labels_release(&theirs);
    llmc_labels_release(&ours);
    return status;
}

/* Whether `names` has every label of the data, and no label twice. */
static bool is_order_of(const struct llmc_labels *names, const struct llmc_labels *data)
{
    bool fits = true;
    for (int32_t i = 0; i < names->count; i++)
        fits = fits && find_only(names, names->names[i]) == i;
    for (int32_t i = 0; i < data->count; i++)
        fits = fits && llmc_labels_find(names, data->names[i]) >= 0;
    return fits;
}

llmc_status llmc_labels_match(struct llmc_labels *out, const struct llmc_labels *data,
                              const struct llmc_labels *outputs, const struct llmc_labels *given, const char *folder)
{
    llmc_status status = LLMC_OK;
    char *data_list = NULL, *outputs_list = NULL;
    bool all = false;
    *out = (struct llmc_labels){0};
    LLMC_TRY(llmc_labels_list(data, &data_list));
    LLMC_TRY(llmc_labels_list(outputs, &outputs_list));
    if (given->count > 0) {
        if (given->count != outputs->count || !is_order_of(given, data))
            LLMC_FAIL(LLMC_ERR_CONFIG, "teacher.labels must name a label of the data for each of the %d outputs of the "
                      "classifier in %s (%.300s), each once; the labels of the data are %.300s", outputs->count, folder,
                      outputs_list, data_list);
        LLMC_TRY(llmc_labels_copy(out, given));
        goto exit;
    }
    if (data->count > outputs->count)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: the classifier has %d outputs (%.300s), the data have %d labels (%.300s); "
                  "\"teacher.head: new\" trains a new one", folder, outputs->count, outputs_list, data->count, data_list);
    LLMC_TRY(llmc_labels_copy(out, outputs));
    if (is_order_of(outputs, data))
        goto exit;
    LLMC_TRY(match_names(out, data, &all));
    if (!all)
        LLMC_FAIL(LLMC_ERR_CONFIG, "%s: the outputs of the classifier are %.300s, the labels of the data %.300s; say in "
                  "teacher.labels which label of the data each output stands for (a list in the order of the outputs), "
                  "or train a new classifier by \"teacher.head: new\"", folder, outputs_list, data_list);
exit:
    free(data_list);
    free(outputs_list);
    if (status != LLMC_OK)
        llmc_labels_release(out);
    return status;
}
