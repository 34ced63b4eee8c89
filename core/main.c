/*
 * rewardd: reads its arguments and engine.conf, opens the engine and the edge, and serves until
 * SIGTERM.
 */
#include "base/log.h"
#include "base/memory.h"
#include "edge/edge.h"
#include "engine/engine.h"
#include "script/sandbox.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OVERRIDE_COUNT_MAX = 64, EXIT_USAGE = 2 };

struct arguments {
    const char *path;
    const char *overrides[OVERRIDE_COUNT_MAX];
    size_t override_count;
    bool check_only;
};

static void print_help(void)
{
    (void)printf("rewardd %s: the reward engine\n\n"
                 "usage: rewardd [-c engine.conf] [-D section.key=value ...]\n\n"
                 "  -c FILE             configuration; without it every option has its default\n"
                 "  -D section.key=val  overrides one option\n"
                 "      --check-config  reads the configuration and ends\n"
                 "      --help-config   lists every option with its default, bounds and meaning\n"
                 "  -V, --version\n"
                 "  -h, --help\n\n"
                 "SIGTERM and SIGINT drain and end, SIGHUP looks at the rules folder again.\n",
        RWD_VERSION);
}

static void print_options(void)
{
    struct rwd_buffer text = {0};
    rwd_config_describe(&text);
    (void)fwrite(text.data, 1, text.size, stdout);
    rwd_buffer_finish(&text);
}

/* -1: go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"check-config", no_argument, NULL, 'C'},
        {"help-config", no_argument, NULL, 'H'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "c:D:Vh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->path = optarg;
            break;
        case 'D':
            if (arguments->override_count == OVERRIDE_COUNT_MAX) {
                (void)fprintf(stderr, "rewardd: at most %d times -D\n", OVERRIDE_COUNT_MAX);
                return EXIT_USAGE;
            }
            arguments->overrides[arguments->override_count++] = optarg;
            break;
        case 'C':
            arguments->check_only = true;
            break;
        case 'H':
            print_options();
            return EXIT_SUCCESS;
        case 'V':
            (void)printf("rewardd %s\n", RWD_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        default:
            (void)fprintf(stderr, "rewardd --help tells more\n");
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(
            stderr, "rewardd: '%s' is no option; rewardd --help tells more\n", argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

/* Signals go to the main thread's descriptor and nowhere else; a peer that hangs up is an error of
 * a write, not a signal. */
static void set_signals(void)
{
    sigset_t taken;
    (void)sigemptyset(&taken);
    (void)sigaddset(&taken, SIGTERM);
    (void)sigaddset(&taken, SIGINT);
    (void)sigaddset(&taken, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &taken, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void resolve(struct rwd_config *config)
{
    if (config->engine_shards == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        config->engine_shards = cores > 2 ? cores / 2 : 1;
    }
}

static enum rwd_status serve(struct rwd_config *config, struct rwd_error *error)
{
    struct rwd_engine *engine = NULL;
    struct rwd_edge *edge = NULL;
    enum rwd_status status = rwd_sandbox_self_test(error);
    if (status == RWD_OK) {
        status = rwd_engine_create(config, rwd_clock_system(), &engine, error);
    }
    if (status == RWD_OK) {
        status = rwd_edge_create(engine, &edge, error);
    }
    if (status == RWD_OK) {
        const struct rwd_engine_io io = {
            .run = rwd_edge_run, .stop = rwd_edge_stop, .context = edge};
        status = rwd_engine_start(engine, &io, error);
        if (status == RWD_OK) {
            rwd_engine_run(engine);
        }
    }
    rwd_edge_destroy(edge);
    rwd_engine_destroy(engine);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct rwd_error error = {0};
    struct rwd_config *config = NULL;
    enum rwd_log_level level = RWD_LOG_INFO;
    int done = read_arguments(argc, argv, &arguments);
    if (done >= 0) {
        return done;
    }
    enum rwd_status status = rwd_config_load(
        arguments.path, arguments.overrides, arguments.override_count, &config, &error);
    if (status != RWD_OK) {
        (void)fprintf(stderr, "rewardd: %s\n", error.text);
        return EXIT_USAGE;
    }
    if (rwd_log_level_parse(config->log_level, &level) != RWD_OK) {
        (void)fprintf(stderr, "rewardd: log.level is debug, info, warn or error\n");
        rwd_config_destroy(config);
        return EXIT_USAGE;
    }
    rwd_log_set_level(level);
    resolve(config);
    (void)umask(077);
    set_signals();
    if (!arguments.check_only) {
        status = serve(config, &error);
    }
    rwd_config_destroy(config);
    if (status != RWD_OK) {
        rwd_log(RWD_LOG_ERROR, "main", "status=%s msg=\"%s\"", rwd_status_name(status), error.text);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
