-- Which types serve a need, how far away they may be, and what a minute of each kind counts.

SET LOCAL ROLE kintaraa_system;
SET LOCAL row_security = on;

-- Preparedness counts nothing: it has not been measured.  cap is the number of rows one ranking may read.
INSERT INTO kintaraa.policy (kind, version, body) VALUES ('routing', 1, '{
  "services": {"medical":    ["healthcare"],
               "legal":      ["legal"],
               "counseling": ["counseling"],
               "police":     ["police"],
               "shelter":    ["social", "gbv_rescue"],
               "financial":  ["social"],
               "emergency":  ["gbv_rescue", "healthcare"],
               "community":  ["chw"]},
  "never":     {"routine": ["gbv_rescue"]},
  "radius_km": {"routine": 100, "urgent": 100, "immediate": 100},
  "travel":    {"base_minutes": 3, "detour": 1.4, "speed_kmh": 30},
  "ack":       {"prior_minutes": {"healthcare": 10, "legal": 30, "police": 10, "counseling": 20, "social": 30,
                                  "gbv_rescue": 5, "chw": 20},
                "prior_weight": 10, "memory": 30, "longest_minutes": 240},
  "load_minutes": 20,
  "fairness_minutes": 10,
  "fairness_hours": 12,
  "mismatch_minutes": 15,
  "preparedness_minutes": 15,
  "weights":   {"routine":   {"travel": 1, "ack": 1, "load": 2,   "fairness": 2,   "mismatch": 1,   "preparedness": 0},
                "urgent":    {"travel": 1, "ack": 1, "load": 1,   "fairness": 1,   "mismatch": 1,   "preparedness": 0},
                "immediate": {"travel": 1, "ack": 1, "load": 0.1, "fairness": 0.1, "mismatch": 0.1, "preparedness": 0}},
  "cap": 4096
}');
