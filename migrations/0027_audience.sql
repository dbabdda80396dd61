-- A pull reads what is new for its caller by one range, however much others wrote and however many cases she has.
--
-- Stamps that are there have no audience and are not rewritten: only a cursor older than this migration asks for them,
-- and finds by the index below that it has to go the long way, once.

ALTER TABLE kintaraa.change ADD COLUMN audience uuid;
COMMENT ON COLUMN kintaraa.change.audience IS
    'Whose news it is: the owner of a report for what lies in its bucket, else the bucket itself. Null before 1.1.';
-- locks: reads and sorts all stamps while doors are shut: they answer KN901 until migrate() is through
CREATE INDEX change_audience_idx ON kintaraa.change (audience, x);
-- locks: as above
CREATE INDEX change_unfilled_idx ON kintaraa.change (x) WHERE audience IS NULL;

ALTER TABLE kintaraa.member ADD COLUMN cx xid8;
COMMENT ON COLUMN kintaraa.member.cx IS
    'Of a helper: the transaction that last stamped something of the case since she joined it.';
-- locks: as above, of memberships
CREATE INDEX member_moved_idx ON kintaraa.member (principal, gx) WHERE relation IN ('helper', 'reporter');
-- locks: as above
CREATE INDEX member_news_idx ON kintaraa.member (principal, cx) WHERE relation IN ('helper', 'reporter');
