-- The last dispatcher stays: without one nobody owns what no team takes.

CREATE TRIGGER dispatcher_moved AFTER UPDATE ON kintaraa.account
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.dispatcher_stays();
CREATE TRIGGER dispatcher_deleted AFTER DELETE ON kintaraa.account
    REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION kintaraa.dispatcher_stays();
