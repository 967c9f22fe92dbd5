/*
 * The store of finished stages, shared by all runs of a folder: RUNS/store/KEY/, one entry for each result.
 *
 *     stage.json       the stage is finished: what it is, its row of the report, its answers to the dev texts
 *     model.h5, logits.h5, model.llmc    what the stage made (by kind)
 *     metrics.jsonl    a line per training step
 *     part.h5          a training stage under way
 *     owner            who works on it: "run NAME, process PID", while the entry is locked
 *
 * The key is a hash of all that the result depends on, so runs that need the same result find the same entry. A run that
 * has made or found one links the product into its own folder (the same file on the disk) and names the key in its record
 * there. An entry is locked by whoever works on it; the lock is that of the folder (flock) and goes with the process.
 */
#ifndef LLMC_STORE_STORE_H
#define LLMC_STORE_STORE_H

#include "base/hash.h"
#include "base/status.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define LLMC_STORE_FOLDER "store"
#define LLMC_STORE_RECORD "stage.json"
#define LLMC_STORE_KEY_NBYTES LLMC_HASH_TEXT_NBYTES

/* A locked entry. Zeroed is closed. */
struct llmc_store_entry {
    char *folder; /* RUNS/store/KEY */
    int lock;     /* the folder's descriptor, if `locked` */
    bool locked;
};

/* Whom to tell that another process is waited for (its text names it); and what ends the waiting. */
struct llmc_store_wait {
    void (*message)(void *context, const char *text);
    void *context;
    const volatile sig_atomic_t *stop; /* NULL ok */
};

/* Makes the entry where there is none and locks it; `owner` ("run sst2") is what others read who wait for it. While another
 * process holds it, says so once and waits. Errors: LLMC_ERR_IO; LLMC_ERR_INTERRUPTED after a stop. */
llmc_status llmc_store_open(struct llmc_store_entry *entry, const char *runs_folder, const char *key, const char *owner,
                            const struct llmc_store_wait *wait);
void llmc_store_close(struct llmc_store_entry *entry); /* a closed one is fine */

/* Makes `link` another name of `file`, in place of an older one; a copy where the file system has no hard links, nothing
 * where it is already. Errors: LLMC_ERR_IO. */
llmc_status llmc_store_link(const char *file, const char *link);

/* An entry as `llmc runs` lists it. */
struct llmc_store_item {
    char key[LLMC_STORE_KEY_NBYTES];
    char kind[16];       /* "teacher"; "" while it is not finished */
    int64_t nbytes;      /* of its files */
    int64_t made;        /* seconds since 1970, of its newest file */
    bool busy;           /* locked by a process */
    int32_t *users;      /* [user_count] indexes of runs */
    int32_t user_count;
};

/* A run folder: what its records name. */
struct llmc_store_run {
    char *name;
    int64_t nbytes;      /* of its own files, without what is linked from the store */
    int64_t made;        /* seconds since 1970, of its newest record */
    char last[16];       /* the last stage in the report: "07-verify"; "" without a report */
    double accuracy;     /* of the newest stage that has one; below 0: none */
    int64_t file_bytes;  /* of model.llmc; 0: there is none */
};

struct llmc_store_list {
    struct llmc_store_item *items;
    int32_t item_count;
    struct llmc_store_run *runs;
    int32_t run_count;
};

/* Reads runs and store of `runs_folder`, both sorted: runs by name, entries by their users, then by kind. Errors:
 * LLMC_ERR_IO (there is no such folder), LLMC_ERR_MEMORY. */
llmc_status llmc_store_list_read(struct llmc_store_list *list, const char *runs_folder);
void llmc_store_list_release(struct llmc_store_list *list);

/* Removes the entries of `list` that no run uses and no process works on; *removed and *nbytes say how many, and how much
 * they held. Errors: LLMC_ERR_IO. */
llmc_status llmc_store_clean(const struct llmc_store_list *list, const char *runs_folder, int32_t *removed,
                             int64_t *nbytes);

#endif
