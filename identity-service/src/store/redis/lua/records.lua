-- Records: `version document_version created modified members`, a line feed, the document. A step that changes no document
-- never reads one: it changes the numbers before it.

local function parse_record(raw)
  local version, document_version, created, modified, members, document =
    string.match(raw, '^(%d+) (%d+) (%-?%d+) (%-?%d+) (%d+)\n()')
  if not version then error('CORRUPT record') end
  return {
    version = tonumber(version),
    document_version = tonumber(document_version),
    created = created,
    modified = modified,
    members = tonumber(members),
    document = string.sub(raw, document),
  }
end

local function record_of(kind, id)
  local raw = call('HGET', P .. kind, id)
  if raw then return parse_record(raw), raw end
end

local function raw_record(record)
  return string.format('%.0f %.0f %s %s %.0f\n', record.version, record.document_version, record.created,
    record.modified, record.members) .. record.document
end

local function put_record(kind, id, record)
  local raw = raw_record(record)
  call('HSET', P .. kind, id, raw)
  return raw
end

local function is_group(id)
  return call('HEXISTS', P .. 'group', id) == 1
end
