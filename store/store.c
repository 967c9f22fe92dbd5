#include "store/store.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How often a waiting process looks again. */
#define POLL_NANOSECONDS 100000000L

/* Whether the folder of `descriptor` is still the one at `path`: another process may have removed it as unused between
 * opening and locking. */
static bool is_at(const char *path, int descriptor)
{
    struct stat opened, named;
    return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

static void tell_waiting(const struct llmc_store_entry *entry, const struct llmc_store_wait *wait)
{
    char *path = NULL, *owner = NULL, *text = NULL;
    if (llmc_path_join(&path, entry->folder, "owner") == LLMC_OK)
        (void)llmc_file_read(path, 4096, &owner, NULL);
    if (wait->message &&
        llmc_format(&text, "waiting for %s, which works on the same stage (%s)", owner && owner[0] ? owner : "another process",
                    entry->folder) == LLMC_OK)
        wait->message(wait->context, text);
    free(path);
    free(owner);
    free(text);
}

/* Locks the descriptor; waits while another process has it. */
static llmc_status take_lock(const struct llmc_store_entry *entry, int descriptor, const struct llmc_store_wait *wait)
{
    for (bool told = false; flock(descriptor, LOCK_EX | LOCK_NB) != 0; told = true) {
        const struct timespec pause = {0, POLL_NANOSECONDS};
        if (errno != EWOULDBLOCK && errno != EINTR)
            return llmc_error(LLMC_ERR_IO, "%s: cannot lock: %s", entry->folder, strerror(errno));
        if (wait->stop && *wait->stop)
            return llmc_error(LLMC_ERR_INTERRUPTED, "stopped while waiting for another process");
        if (!told)
            tell_waiting(entry, wait);
        nanosleep(&pause, NULL);
    }
    return LLMC_OK;
}

static llmc_status write_owner(const struct llmc_store_entry *entry, const char *owner)
{
    llmc_status status = LLMC_OK;
    char *path = NULL, *text = NULL;
    LLMC_TRY(llmc_path_join(&path, entry->folder, "owner"));
    LLMC_TRY(llmc_format(&text, "%s, process %ld", owner, (long)getpid()));
    LLMC_TRY(llmc_file_write(path, text, strlen(text)));
exit:
    free(path);
    free(text);
    return status;
}

llmc_status llmc_store_open(struct llmc_store_entry *entry, const char *runs_folder, const char *key, const char *owner,
                            const struct llmc_store_wait *wait)
{
    llmc_status status = LLMC_OK;
    memset(entry, 0, sizeof *entry);
    LLMC_TRY(llmc_format(&entry->folder, "%s/" LLMC_STORE_FOLDER "/%s", runs_folder, key));
    do {
        LLMC_TRY(llmc_folder_make(entry->folder));
        int descriptor = open(entry->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0 && errno == ENOENT)
            continue;
        if (descriptor < 0)
            LLMC_FAIL(LLMC_ERR_IO, "%s: cannot open: %s", entry->folder, strerror(errno));
        entry->lock = descriptor;
        entry->locked = true;
        LLMC_TRY(take_lock(entry, descriptor, wait));
        if (is_at(entry->folder, descriptor))
            break;
        close(descriptor);
        entry->locked = false;
    } while (true);
    LLMC_TRY(write_owner(entry, owner));
exit:
    if (status != LLMC_OK) {
        if (entry->locked)
            close(entry->lock); /* its owner file may be another's: leave it */
        entry->locked = false;
        llmc_store_close(entry);
    }
    return status;
}

void llmc_store_close(struct llmc_store_entry *entry)
{
    char *path = NULL;
    if (entry->locked) {
        if (llmc_path_join(&path, entry->folder, "owner") == LLMC_OK)
            llmc_file_remove(path);
        free(path);
        close(entry->lock);
    }
    free(entry->folder);
    memset(entry, 0, sizeof *entry);
}

llmc_status llmc_store_link(const char *file, const char *link_path)
{
    llmc_status status = LLMC_OK;
    struct stat there, ours;
    char *temporary = NULL, *bytes = NULL;
    size_t nbytes;
    if (stat(file, &there) == 0 && stat(link_path, &ours) == 0 && there.st_dev == ours.st_dev &&
        there.st_ino == ours.st_ino)
        return LLMC_OK;
    LLMC_TRY(llmc_file_begin(link_path, &temporary));
    if (link(file, temporary) == 0) {
        LLMC_TRY(llmc_file_commit(&temporary, link_path));
    } else { /* a file system without hard links */
        LLMC_TRY(llmc_file_read(file, SIZE_MAX, &bytes, &nbytes));
        LLMC_TRY(llmc_file_write(link_path, bytes, nbytes));
    }
exit:
    llmc_file_abandon(&temporary);
    free(bytes);
    return status;
}
