-- A page of somebody's journal reads its own rows, not all of them.

CREATE INDEX personal_page_idx ON kintaraa.personal (owner_id, noun, created_at DESC, id DESC) WHERE deleted_at IS NULL;
