#include "prune/layer_times.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json_file.h"
#include "base/memory.h"
#include "runtime/layer_time.h"
#include "store/store.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* To be raised when what is measured changes. */
#define MEASUREMENT "2"

static int32_t groups_of(int32_t neurons)
{
    return (neurons + LLMC_NEURON_GROUP - 1) / LLMC_NEURON_GROUP;
}

/* What the times depend on. */
static json_t *describe(const struct llmc_costs *costs, const struct llmc_architecture *a, int32_t length)
{
    char processor[128];
    llmc_cpu_name(processor, sizeof processor);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i}", "made_by", "llmc " LLMC_VERSION,
                     "measurement", MEASUREMENT, "processor", processor, "kernels", llmc_rt_layer_time_kernels(),
                     "hidden", a->hidden, "head_width", a->head_width, "activation",
                     llmc_activation_name(a->activation), "heads_max", costs->heads_max, "neurons_max",
                     costs->neurons_max, "tokens", length);
}

static llmc_status make_path(const json_t *description, const char *runs_folder, char **path)
{
    llmc_status status = LLMC_OK;
    struct llmc_hash hash = {0};
    char key[LLMC_HASH_TEXT_NBYTES];
    char *text = json_dumps(description, JSON_COMPACT | JSON_SORT_KEYS);
    LLMC_TRY(llmc_hash_init(&hash));
    llmc_hash_text(&hash, text);
    llmc_hash_finish(&hash, key);
    LLMC_TRY(llmc_format(path, "%s/" LLMC_STORE_FOLDER "/layer-times-%s.json", runs_folder, key));
exit:
    free(text);
    return status;
}

/* Adds to "heads" the times of a layer with 1, 2, ... heads and the fewest neurons, or to "neurons" those with one head
 * and 1, 2, ... groups of neurons; inner and last are objects of a layer in that place. */
static llmc_status measure(const struct llmc_architecture *architecture, int32_t length, bool heads, int32_t count,
                           json_t *inner, json_t *last)
{
    llmc_status status = LLMC_OK;
    struct llmc_architecture a = *architecture;
    json_t *inners = json_array(), *lasts = json_array();
    json_object_set_new(inner, heads ? "heads" : "neurons", inners);
    json_object_set_new(last, heads ? "heads" : "neurons", lasts);
    for (int32_t i = 1; i <= count; i++) {
        struct llmc_layer_time time;
        a.layer[0] = heads ? (struct llmc_layer_shape){i, LLMC_NEURON_GROUP}
                           : (struct llmc_layer_shape){1, i * LLMC_NEURON_GROUP};
        LLMC_TRY(llmc_rt_layer_time(&a, length, &time));
        json_array_append_new(inners, json_real(time.inner));
        json_array_append_new(lasts, json_real(time.last));
    }
exit:
    return status;
}

static llmc_status measure_all(const struct llmc_costs *costs, const struct llmc_architecture *a, int32_t length,
                               json_t *description, const char *path)
{
    llmc_status status = LLMC_OK;
    json_t *inner = json_object(), *last = json_object();
    char *text = NULL, *folder = NULL, *own = NULL;
    json_object_set_new(description, "inner", inner);
    json_object_set_new(description, "last", last);
    LLMC_TRY(measure(a, length, true, costs->heads_max, inner, last));
    LLMC_TRY(measure(a, length, false, groups_of(costs->neurons_max), inner, last));
    text = json_dumps(description, JSON_INDENT(2));
    if (!text)
        LLMC_FAIL(LLMC_ERR_MEMORY, "cannot write JSON");
    LLMC_TRY(llmc_format(&folder, "%.*s", (int)(strrchr(path, '/') - path), path));
    LLMC_TRY(llmc_folder_make(folder));
    /* Of runs that measure at once, the first one's table counts for all. */
    LLMC_TRY(llmc_format(&own, "%s.%ld", path, (long)getpid()));
    LLMC_TRY(llmc_file_write(own, text, strlen(text)));
    if (link(own, path) != 0 && errno != EEXIST)
        status = llmc_error(LLMC_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    unlink(own);
exit:
    free(text);
    free(folder);
    free(own);
    return status;
}

/* Number i of an array, and no less than the one before: more heads or neurons never save time but by disturbance. */
static double rising(const json_t *times, size_t i, double before)
{
    return fmax(json_number_value(json_array_get(times, i)), before);
}

static void fill(const struct llmc_costs *costs, const struct llmc_layer_costs *layer, const json_t *table)
{
    const json_t *heads = json_object_get(table, "heads"), *neurons = json_object_get(table, "neurons");
    double first = json_number_value(json_array_get(neurons, 0)), last = first;
    for (int32_t i = 1; i <= costs->heads_max; i++)
        layer->heads[i] = rising(heads, (size_t)i - 1, layer->heads[i - 1]);
    for (int32_t i = 1; i <= costs->neurons_max; i++) {
        last = rising(neurons, (size_t)groups_of(i) - 1, last);
        layer->neurons[i] = last - first; /* the first group is in the heads' times */
    }
}

static bool is_whole(const struct llmc_costs *costs, const json_t *table)
{
    return json_array_size(json_object_get(table, "heads")) == (size_t)costs->heads_max &&
           json_array_size(json_object_get(table, "neurons")) == (size_t)groups_of(costs->neurons_max);
}

llmc_status llmc_costs_of_times(struct llmc_costs *costs, const struct llmc_architecture *architecture, int32_t length,
                                const char *runs_folder, bool *measured)
{
    llmc_status status = LLMC_OK;
    json_t *description = describe(costs, architecture, length), *table = NULL;
    char *path = NULL;
    if (!description)
        LLMC_FAIL(LLMC_ERR_MEMORY, "cannot make JSON");
    LLMC_TRY(make_path(description, runs_folder, &path));
    *measured = llmc_json_file_read(path, &table) != LLMC_OK || !is_whole(costs, json_object_get(table, "inner")) ||
                !is_whole(costs, json_object_get(table, "last"));
    if (*measured) {
        unlink(path); /* missing, or damaged */
        LLMC_TRY(measure_all(costs, architecture, length, description, path));
        json_decref(table);
        table = NULL;
        LLMC_TRY(llmc_json_file_read(path, &table)); /* the same numbers as later, to the last digit */
    }
    fill(costs, &costs->inner, json_object_get(table, "inner"));
    fill(costs, &costs->last, json_object_get(table, "last"));
exit:
    json_decref(description);
    json_decref(table);
    free(path);
    return status;
}
