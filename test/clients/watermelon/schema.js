// The phone's tables: columns follow from the records of the API by the rule in docs/sync.md.
'use strict'
const { Model, appSchema, tableSchema } = require('@nozbe/watermelondb')

const text = (...names) => names.map((name) => ({ name, type: 'string', isOptional: true }))
const number = (...names) => names.map((name) => ({ name, type: 'number', isOptional: true }))
const flag = (...names) => names.map((name) => ({ name, type: 'boolean', isOptional: true }))

const columns = {
  incidents: [
    ...text('case_number', 'status', 'anonymity', 'reporter', 'type', 'incident_date', 'incident_time', 'description',
      'severity', 'urgency_level', 'support_services', 'location_address', 'location_description', 'location_source',
      'provider_preferences_communication_method', 'provider_preferences_preferred_gender',
      'provider_preferences_proximity_preference', 'provider_preferences_triage_teams', 'needs', 'assignments'),
    ...number('location_coordinates_latitude', 'location_coordinates_longitude', 'location_accuracy_m'),
    ...flag('is_anonymous'),
  ],
  assignments: [
    ...text('incident_id', 'service', 'status', 'urgency_level', 'incident_service', 'incident_urgency_level',
      'incident_time_bucket', 'incident_language', 'incident_contact', 'incident_case_number', 'incident_status'),
    ...number('offered_at', 'due_at', 'responded_at', 'distance_km', 'incident_cell_latitude',
      'incident_cell_longitude'),
  ],
  notifications: [...text('class'), ...number('read_at')],
  profiles: [...text('email', 'first_name', 'last_name', 'phone', 'role', 'language'), ...flag('is_anonymous')],
  safety_plans: text('emergency_contacts', 'safe_locations', 'warning_signs', 'coping_strategies', 'documents',
    'bag_items', 'code_words', 'digital_safety', 'notes', 'review_date'),
  emergency_contacts: [...text('name', 'phone', 'relationship'), ...flag('is_primary')],
  preferences: [...text('quiet_hours', 'safe_contact', 'settings'), ...flag('share_location', 'allow_messages')],
  mood_entries: [...text('date', 'mood', 'triggers', 'activities', 'notes'),
    ...number('intensity', 'sleep_hours', 'stress_level')],
  notes: text('incident_id', 'author_id', 'text'),
  journal_entries: [...text('title', 'content', 'mood', 'tags'), ...flag('is_private')],
}

// What every table has beside: the server's times, the version an edit started from, and the first phase of removal.
const common = [
  { name: 'created_at', type: 'number' },
  { name: 'updated_at', type: 'number' },
  { name: 'server_version', type: 'number' },
  { name: 'removed', type: 'boolean' },
]

const schema = appSchema({
  version: 1,
  tables: Object.entries(columns).map(([name, own]) => tableSchema({ name, columns: [...own, ...common] })),
})

// A model has one property per column; times belong to the server, so none is set by the phone.
function modelOf(table) {
  const model = class extends Model {}
  model.table = table
  for (const { name } of [...columns[table], ...common]) {
    Object.defineProperty(model.prototype, name, {
      get() { return this._getRaw(name) },
      set(value) { this._setRaw(name, value) },
    })
  }
  return model
}

const tables = Object.keys(columns)

module.exports = { schema, tables, columns, modelClasses: tables.map(modelOf) }
