\echo Use "CREATE EXTENSION kintaraa CASCADE" to load this file. \quit
SET LOCAL search_path TO pg_catalog, pg_temp;
