/*-------------------------------------------------------------------------
 *
 * config.h
 *	  The settings of the gateway, read once from the environment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lane.h"

typedef struct Config
{
	const char *database;
	const char *errors_url;
	const char *listen;
	const char *log_level;
	const char *metrics_allow;
	const char *origins;
	const char *proxies;
	const char *tls_cert;
	const char *tls_key;
	int64_t body_ms;
	int64_t head_ms;
	int64_t idle_ms;
	int64_t write_ms;
	int64_t ping_ms;
	int64_t queue_ms;
	int64_t read_budget_ms;
	int64_t read_ms;
	int64_t shutdown_ms;
	int64_t max_body;
	int64_t max_connections;
	int64_t max_parked;
	int64_t max_per_address;
	int64_t queue_limit;
	int64_t sos_queue_limit;
	int64_t read_share;
	int64_t socket_buffer;
	int64_t workers;
	int64_t lane_connections[LANE_COUNT];
	int64_t lane_ms[LANE_COUNT];
} Config;

/*
 * Reads every setting.  On a bad value prints one sentence to complaint and
 * returns false.
 */
bool config_load(FILE *complaint);

/* Prints the table of settings. */
void config_help(FILE *out);

/* Names, separated by commas, of environment variables that look like a setting and are none. */
const char *config_unknown(void);

/* borrows until the end of the process */
const Config *config_get(void);

#endif
