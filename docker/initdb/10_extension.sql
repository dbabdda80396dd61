-- The extension, its keys, its state and its jobs, in the database of POSTGRES_DB.
CREATE EXTENSION pg_cron;
CREATE EXTENSION kintaraa CASCADE;
SELECT kintaraa.keyring_create();
CALL kintaraa.migrate();
SELECT kintaraa.schedule_jobs();
SELECT kintaraa.close_database();
