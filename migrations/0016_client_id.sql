-- A regular expression over an id costs more than any other check of a report; the letters most ids have come first.

ALTER DOMAIN kintaraa.client_id DROP CONSTRAINT client_id_check;
ALTER DOMAIN kintaraa.client_id ADD CHECK (VALUE <> '' AND pg_catalog.length(VALUE) <= 64 AND pg_catalog.ltrim(VALUE,
    '0123456789-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.') = '');
