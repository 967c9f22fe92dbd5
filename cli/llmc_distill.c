/* llmc-distill: the stages of a configuration, from a BERT to a compressed checkpoint. */
#include "cli/command.h"
#include "cli/progress_line.h"

#include "base/file.h"
#include "base/memory.h"
#include "pipeline/run.h"
#include "pipeline/stages/table.h"
#include "report/report.h"
#include "stage/measure.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: llmc-distill CONFIG [options]\n"
    "\n"
    "Runs the stages of CONFIG (a YAML file such as configs/sst2.yaml) and leaves a\n"
    "compressed checkpoint, model.llmc, and a cost report in RUNS/NAME. Run again, it goes\n"
    "on where it stopped: finished stages are not repeated.\n"
    "\n"
    "  --set KEY=VALUE      change a key: seed=2, stages.distill.epochs=1; leave stages out:\n"
    "                       stages.prune=off; may stand often\n"
    "  --stop-after STAGE   end after this stage (distill, or 03-distill)\n"
    "  --runs FOLDER        where run folders are, and the store of finished stages that runs\n"
    "                       share (default: runs); 'llmc runs' lists both\n"
    "  --keys[=markdown]    all keys of CONFIG with default, meaning and allowed values\n"
    "  --help               this text\n"
    "\n"
    "  --measure CHECKPOINT CONFIG\n"
    "                       answer the dev texts with a stage's checkpoint and print the\n"
    "                       figures as JSON: how the report measures a stage\n"
    "\n"
    "Ctrl-C saves the stage under way and ends with exit status 130.\n";

enum { SETS_MAX = 256 };

static volatile sig_atomic_t stopped;

/* The first signal asks the run to save itself and end; the next one ends at once. */
static void stop(int signal_number)
{
    stopped = 1;
    signal(signal_number, SIG_DFL);
}

static void show_message(void *context, const char *text)
{
    llmc_progress_finish(context);
    fprintf(stderr, "%s\n", text);
}

static llmc_status print_report(const char *path)
{
    llmc_status status = LLMC_OK;
    struct llmc_report report = {0};
    char *table = NULL;
    LLMC_TRY(llmc_report_read(&report, path));
    LLMC_TRY(llmc_report_table(&report, &table));
    printf("%s", table);
    LLMC_TRY(llmc_command_flush());
exit:
    free(table);
    llmc_report_release(&report);
    return status;
}

static llmc_status distill(const char *config_path, const char *const *sets, size_t set_count, const char *stop_after,
                           const char *runs)
{
    llmc_status status = LLMC_OK;
    struct llmc_config config = {0};
    struct llmc_progress progress;
    char *measure_program = NULL, *answer_program = NULL, *yaml = NULL, *report_path = NULL;
    llmc_progress_init(&progress, stderr);
    LLMC_TRY(llmc_config_load(&config, config_path, sets, set_count, llmc_run_stage_kinds()));
    LLMC_TRY(llmc_command_sibling("llmc-distill", &measure_program));
    LLMC_TRY(llmc_command_sibling("llmc", &answer_program));
    LLMC_TRY(llmc_config_write(&config, &yaml));
    fprintf(stderr, "# effective configuration\n%s\n", yaml);
    struct llmc_run_host host = {
        .progress = llmc_progress_update,
        .message = show_message,
        .context = &progress,
        .stop = &stopped,
        .measure_program = measure_program,
        .answer_program = answer_program,
        .runs_folder = runs,
    };
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    status = llmc_run_pipeline(&config, &host, stop_after, &report_path);
    llmc_progress_finish(&progress);
    if (status == LLMC_OK)
        status = print_report(report_path);
exit:
    free(measure_program);
    free(answer_program);
    free(yaml);
    free(report_path);
    llmc_config_release(&config);
    return status;
}

static llmc_status measure(const char *checkpoint, const char *config_path, const char *const *sets,
                           size_t set_count)
{
    llmc_status status = LLMC_OK;
    struct llmc_config config = {0};
    char *json = NULL;
    LLMC_TRY(llmc_config_load(&config, config_path, sets, set_count, llmc_run_stage_kinds()));
    LLMC_TRY(llmc_stage_measure_checkpoint(&config, checkpoint, &json));
    puts(json);
    LLMC_TRY(llmc_command_flush());
exit:
    free(json);
    llmc_config_release(&config);
    return status;
}

static llmc_status print_keys(bool markdown)
{
    char *text = NULL;
    llmc_status status = llmc_config_describe(llmc_run_stage_kinds(), markdown, &text);
    if (status == LLMC_OK) {
        fputs(text, stdout);
        status = llmc_command_flush();
    }
    free(text);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"set", required_argument, NULL, 's'},  {"stop-after", required_argument, NULL, 'a'},
        {"runs", required_argument, NULL, 'r'}, {"measure", required_argument, NULL, 'm'},
        {"keys", optional_argument, NULL, 'k'},       {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    const char *sets[SETS_MAX], *stop_after = NULL, *runs = "runs", *checkpoint = NULL;
    size_t set_count = 0;
    int option;
    llmc_command_spin_briefly(argv);
    llmc_command_limit_threads();
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            if (set_count == SETS_MAX)
                return llmc_command_usage_error(NULL, "more than %d times --set", SETS_MAX);
            sets[set_count++] = optarg;
            break;
        case 'a':
            stop_after = optarg;
            break;
        case 'r':
            if (!optarg[0])
                return llmc_command_usage_error(NULL, "--runs: the name of the folder is empty");
            runs = optarg;
            break;
        case 'm':
            checkpoint = optarg;
            break;
        case 'k':
            if (optarg && strcmp(optarg, "markdown") != 0)
                return llmc_command_usage_error(NULL, "--keys=%s: allowed are --keys and --keys=markdown", optarg);
            return llmc_command_end(print_keys(optarg != NULL));
        case 'h':
            fputs(usage, stdout);
            return llmc_command_end(llmc_command_flush());
        default:
            return llmc_command_usage_error(NULL, "unknown option or missing value: %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        return llmc_command_usage_error(NULL, "one CONFIG is needed");
    if (checkpoint)
        return llmc_command_end(measure(checkpoint, argv[optind], sets, set_count));
    return llmc_command_end(distill(argv[optind], sets, set_count, stop_after, runs));
}
