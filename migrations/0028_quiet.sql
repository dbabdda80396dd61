-- That all who were asked have refused is an inner state: the version of her report must not tell it by moving.

DROP TRIGGER IF EXISTS remember ON kintaraa.incident;
CREATE TRIGGER remember AFTER INSERT OR DELETE ON kintaraa.incident
    FOR EACH ROW EXECUTE FUNCTION kintaraa.change_remember('incident', 'id', 'id', 'deleted_at');
CREATE TRIGGER remember_shown AFTER UPDATE ON kintaraa.incident
    FOR EACH ROW
    WHEN (NOT (OLD.status <> NEW.status AND OLD.status IN ('new', 'pending_dispatcher_review')
               AND NEW.status IN ('new', 'pending_dispatcher_review')))
    EXECUTE FUNCTION kintaraa.change_remember('incident', 'id', 'id', 'deleted_at');
COMMENT ON TRIGGER remember_shown ON kintaraa.incident IS
    'What turns from new to waiting for a dispatcher is the same to her and helpers; dispatchers hear of its needs.';
