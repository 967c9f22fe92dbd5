/* llmc runs: what runs there are, the stages that they share, and how to be rid of those that none uses. */
#include "cli/command.h"

#include "base/memory.h"
#include "store/store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: llmc runs [--runs FOLDER] [--clean] [--json]\n"
    "\n"
    "Lists the runs, and the finished stages in FOLDER/store: what each takes on the disk\n"
    "and which runs use it. Runs share a stage when all that it depends on is the same.\n"
    "\n"
    "  --clean         remove the stages that no run uses: first remove the folders of runs\n"
    "                  that are no longer wanted. Stages under way in a process stay\n"
    "  --runs FOLDER   where run folders are (default: runs)\n"
    "  --json          for programs\n"
    "  --help          this text\n";

static void print_date(int64_t seconds)
{
    char text[24];
    const time_t when = (time_t)seconds;
    struct tm local;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", localtime_r(&when, &local));
    printf("  %-16s", text);
}

static void print_runs(const struct llmc_store_list *list)
{
    printf("%-24s  %-16s  %-12s  %9s  %10s\n", "run", "made", "last stage", "accuracy", "model.llmc");
    for (int32_t i = 0; i < list->run_count; i++) {
        const struct llmc_store_run *run = &list->runs[i];
        printf("%-24s", run->name);
        print_date(run->made);
        printf("  %-12s", run->last[0] ? run->last : "-");
        if (run->accuracy >= 0)
            printf("  %7.2f %%", 100 * run->accuracy);
        else
            printf("  %9s", "-");
        if (run->file_bytes > 0)
            printf("  %7.2f MB", (double)run->file_bytes * 1e-6);
        printf("\n");
    }
}

static void print_items(const struct llmc_store_list *list)
{
    int64_t total = 0, unused = 0;
    printf("\n%-12s  %-8s  %-16s  %10s  used by\n", "key", "stage", "made", "size");
    for (int32_t i = 0; i < list->item_count; i++) {
        const struct llmc_store_item *item = &list->items[i];
        printf("%.12s  %-8s", item->key, item->kind[0] ? item->kind : "unfinished");
        print_date(item->made);
        printf("  %7.2f MB  ", (double)item->nbytes * 1e-6);
        for (int32_t u = 0; u < item->user_count; u++)
            printf("%s%s", u ? ", " : "", list->runs[item->users[u]].name);
        printf("%s\n", item->busy ? " (under way)" : item->user_count ? "" : "no run");
        total += item->nbytes;
        unused += item->user_count ? 0 : item->nbytes;
    }
    printf("\n%d runs, %d stages of %.2f MB, %.2f MB of them used by no run\n", list->run_count, list->item_count,
           (double)total * 1e-6, (double)unused * 1e-6);
}

static llmc_status print_json(const struct llmc_store_list *list)
{
    json_t *runs = json_array(), *items = json_array();
    for (int32_t i = 0; i < list->run_count; i++) {
        const struct llmc_store_run *run = &list->runs[i];
        json_array_append_new(runs, json_pack("{s:o, s:I, s:I, s:s, s:o, s:I}", "name", llmc_command_json_text(run->name),
                                              "own_bytes", (json_int_t)run->nbytes, "made", (json_int_t)run->made,
                                              "last_stage", run->last, "accuracy",
                                              run->accuracy >= 0 ? json_real(run->accuracy) : json_null(), "file_bytes",
                                              (json_int_t)run->file_bytes));
    }
    for (int32_t i = 0; i < list->item_count; i++) {
        const struct llmc_store_item *item = &list->items[i];
        json_t *users = json_array();
        for (int32_t u = 0; u < item->user_count; u++)
            json_array_append_new(users, llmc_command_json_text(list->runs[item->users[u]].name));
        json_array_append_new(items, json_pack("{s:s, s:s, s:I, s:I, s:b, s:o}", "key", item->key, "stage", item->kind,
                                               "bytes", (json_int_t)item->nbytes, "made", (json_int_t)item->made, "busy",
                                               item->busy, "used_by", users));
    }
    return llmc_command_print_json(json_pack("{s:o, s:o}", "runs", runs, "stages", items), false);
}

static llmc_status run(const char *folder, bool clean, bool json)
{
    llmc_status status = LLMC_OK;
    struct llmc_store_list list = {0};
    int32_t removed;
    int64_t nbytes;
    LLMC_TRY(llmc_store_list_read(&list, folder));
    if (clean) {
        LLMC_TRY(llmc_store_clean(&list, folder, &removed, &nbytes));
        llmc_store_list_release(&list);
        LLMC_TRY(llmc_store_list_read(&list, folder));
        if (!json)
            printf("removed %d stages that no run uses, %.2f MB\n\n", removed, (double)nbytes * 1e-6);
    }
    if (json) {
        LLMC_TRY(print_json(&list));
    } else {
        print_runs(&list);
        print_items(&list);
    }
    LLMC_TRY(llmc_command_flush());
exit:
    llmc_store_list_release(&list);
    return status;
}

int llmc_command_runs(int argc, char **argv)
{
    static const struct option options[] = {{"runs", required_argument, NULL, 'r'}, {"clean", no_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},       {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *folder = "runs";
    bool clean = false, json = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            folder = optarg;
            break;
        case 'c':
            clean = true;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        default:
            return llmc_command_usage_error("runs", "unknown option or missing value: %s", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return llmc_command_usage_error("runs", "takes no %s", argv[optind]);
    return llmc_command_end(run(folder, clean, json));
}
