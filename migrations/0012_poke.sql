-- Subscriptions that only hear that there is something new, for phones and for pulls that wait.

ALTER TABLE kintaraa.subscription ADD COLUMN pokes boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN kintaraa.subscription.pokes IS 'Hears that something changed, and never what.';
CREATE INDEX subscription_pokes_idx ON kintaraa.subscription (gateway, principal) WHERE pokes;
