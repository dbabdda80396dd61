-- That a case moved is written beside the membership, not in it: whoever leaves a case holds its membership and then
-- waits for the case, and whoever changes the case would wait for the membership.

ALTER TABLE kintaraa.member DROP COLUMN cx;
CREATE TABLE kintaraa.case_news (
    principal  uuid NOT NULL,
    bucket     uuid NOT NULL,
    x          xid8 NOT NULL,
    PRIMARY KEY (principal, bucket)
);
COMMENT ON TABLE kintaraa.case_news IS 'Which transaction last stamped something of a case, for each team that helps.';
COMMENT ON COLUMN kintaraa.case_news.principal IS 'The team; its right to the case is in kintaraa.member.';
COMMENT ON COLUMN kintaraa.case_news.bucket IS 'The case.';
COMMENT ON COLUMN kintaraa.case_news.x IS 'The transaction; written when stamps are, and by nothing else.';
CREATE INDEX case_news_x_idx ON kintaraa.case_news (principal, x);
ALTER TABLE kintaraa.case_news ENABLE ROW LEVEL SECURITY;
ALTER TABLE kintaraa.case_news FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON kintaraa.case_news TO kintaraa_system USING (true) WITH CHECK (true);
REVOKE ALL ON kintaraa.case_news FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON kintaraa.case_news TO kintaraa_system;
