/*-------------------------------------------------------------------------
 *
 * incident_columns.h
 *	  The columns of a report, each written down once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KN_CASES_INCIDENT_COLUMNS_H
#define KN_CASES_INCIDENT_COLUMNS_H

#include "cases/incident.h"
#include "records/column.h"

#define AT(member_) offsetof(KnIncident, member_)
#define VALUE(field_) (offsetof(KnIncident, values) + (field_) * sizeof(KnValue))
#define NONE 0

/* See records/column.h.  A new column goes anywhere; its migration gives it a default. */
/* clang-format off */
#define INCIDENT_COLUMNS(C) \
	C("id", "", "", KN_COLUMN_UUID, KN_COLUMN_KEPT, AT(id), NONE, NULL) \
	C("owner_id", "", "", KN_COLUMN_UUID, KN_COLUMN_KEPT, AT(owner), NONE, NULL) \
	C("client_key", "", "", KN_COLUMN_BYTES, KN_COLUMN_KEPT, AT(client_key), NONE, NULL) \
	C("spelling_sealed", "", "", KN_COLUMN_SEALED_TEXT, KN_COLUMN_KEPT, \
	  AT(spelling_sealed), AT(spelling), KN_INCIDENT_SPELLING) \
	C("case_number", "", "", KN_COLUMN_TEXT, KN_COLUMN_KEPT, AT(case_number), NONE, NULL) \
	C("status", "", "", KN_COLUMN_WORD, KN_COLUMN_KEPT, AT(status), NONE, kn_case_statuses) \
	C("reporter", "", "", KN_COLUMN_EITHER, KN_COLUMN_KEPT, AT(by_provider), NONE, kn_reporters) \
	C("created_hash", "", "", KN_COLUMN_BYTES, KN_COLUMN_KEPT, AT(created_hash), NONE, NULL) \
	C("ignored", "::text", "::jsonb", KN_COLUMN_TEXT, KN_COLUMN_KEPT, AT(ignored), NONE, NULL) \
	C("created_at", "", "", KN_COLUMN_TIME, KN_COLUMN_KEPT, AT(created_at), NONE, NULL) \
	C("description_sealed", "", "", KN_COLUMN_SEALED, KN_COLUMN_CHANGED, \
	  AT(description_sealed), VALUE(KN_INCIDENT_DESCRIPTION), "incident.description") \
	C("address_sealed", "", "", KN_COLUMN_SEALED, KN_COLUMN_CHANGED, \
	  AT(address_sealed), VALUE(KN_INCIDENT_ADDRESS), "incident.address") \
	C("place_sealed", "", "", KN_COLUMN_SEALED, KN_COLUMN_CHANGED, \
	  AT(place_sealed), VALUE(KN_INCIDENT_PLACE), "incident.place") \
	C("point_sealed", "", "", KN_COLUMN_SEALED_POINT, KN_COLUMN_CHANGED, \
	  AT(point_sealed), VALUE(KN_INCIDENT_POINT), "incident.point") \
	C("type", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, VALUE(KN_INCIDENT_TYPE), NONE, NULL) \
	C("severity", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_SEVERITY), NONE, NULL) \
	C("urgency_level", "", "", KN_COLUMN_WORD, KN_COLUMN_CHANGED, \
	  AT(urgency), NONE, kn_urgency_names) \
	C("urgency_asked", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_URGENCY), NONE, NULL) \
	C("incident_date", "::text", "::date", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_DATE), NONE, NULL) \
	C("incident_time", "::text", "::time", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_TIME), NONE, NULL) \
	C("communication_method", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_COMMUNICATION), NONE, NULL) \
	C("preferred_gender", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_GENDER), NONE, NULL) \
	C("proximity_preference", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_PROXIMITY), NONE, NULL) \
	C("triage_teams", "", "", KN_COLUMN_VALUE_ITEMS, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_TRIAGE_TEAMS), NONE, NULL) \
	C("place_source", "", "", KN_COLUMN_VALUE, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_SOURCE), NONE, NULL) \
	C("support_services", "", "", KN_COLUMN_VALUE_ITEMS, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_SERVICES), NONE, NULL) \
	C("suggested_services", "", "", KN_COLUMN_TEXTS, KN_COLUMN_CHANGED, \
	  AT(suggested), AT(n_suggested), NULL) \
	C("is_anonymous", "", "", KN_COLUMN_VALUE_FLAG, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_ANONYMOUS), NONE, NULL) \
	C("occurred_from", "", "", KN_COLUMN_TIME, KN_COLUMN_CHANGED, AT(occurred_from), NONE, NULL) \
	C("occurred_to", "", "", KN_COLUMN_TIME, KN_COLUMN_CHANGED, AT(occurred_to), NONE, NULL) \
	C("accuracy_m", "", "", KN_COLUMN_VALUE_NUMBER, KN_COLUMN_CHANGED, \
	  VALUE(KN_INCIDENT_ACCURACY), NONE, NULL) \
	C("cell_latitude", "", "", KN_COLUMN_FLOAT, KN_COLUMN_CHANGED, \
	  AT(cell_latitude), AT(has_cell), NULL) \
	C("cell_longitude", "", "", KN_COLUMN_FLOAT, KN_COLUMN_CHANGED, \
	  AT(cell_longitude), AT(has_cell), NULL) \
	C("edited_by", "", "", KN_COLUMN_UUID, KN_COLUMN_CHANGED, AT(edited_by), AT(has_editor), NULL) \
	C("edited_version", "", "", KN_COLUMN_BIGINT, KN_COLUMN_LATER, AT(edited_version), NONE, NULL) \
	C("edited_foreign_version", "", "", KN_COLUMN_BIGINT, KN_COLUMN_LATER, \
	  AT(edited_foreign_version), NONE, NULL) \
	C("deleted_at", "", "", KN_COLUMN_TIME, KN_COLUMN_READ, AT(deleted_at), NONE, NULL) \
	C("held_until", "", "", KN_COLUMN_TIME, KN_COLUMN_READ, AT(held_until), NONE, NULL) \
	C("closed_at", "", "", KN_COLUMN_TIME, KN_COLUMN_READ, AT(closed_at), NONE, NULL)
/* clang-format on */

#define INCIDENT_COLUMN_OF(name_, out_, ...) "i." name_ out_ ", "

/* Of row i, and of its stamp c, in the order in which kn_incident_columns_read() takes them. */
#define INCIDENT_SELECT INCIDENT_COLUMNS(INCIDENT_COLUMN_OF) "c.version, c.updated_at "

extern const KnColumns kn_incident_columns;

#endif
