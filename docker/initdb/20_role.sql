-- The gateway's login; everything else comes in as the administrator.
\getenv password KINTARAA_GATEWAY_PASSWORD
ALTER ROLE kintaraa_gateway LOGIN PASSWORD :'password';
