-- Makes a resource what it was when it was last applied, in a new version, and has that delivered.
--
-- Cost: O(log n), and as much again for each of a batch of those who report to a user, or of the groups it may be in.

local kind, id, now, now_text = take(), take(), take_number(), take()
local expected, only_if_refused = take_number(), take_optional()
local told = { attributes = take(), diff = take_optional(), origin = take_optional() }
local request, traceparent = take_optional(), take_optional()
local gained_names, lost_names, gained_keys, lost_keys = take_list(), take_list(), take_list(), take_list()

local function restore(record, before)
  if names_refused(kind, id, gained_names) then return { 'name_taken' } end
  record.version = record.version + 1
  record.document_version = record.version
  record.modified, record.document = now_text, before.document
  remove_keys(kind, id, lost_names, lost_keys)
  add_keys(kind, id, gained_names, gained_keys)
  forget_image(kind, id)
  log_change('updated', kind, id, record.version, told, now, now_text)
  mark(kind, id, now, traceparent, taking(kind, id, false, false))
  return { 'restored', put_record(kind, id, record) }
end

local function is_referred()
  for _, group in ipairs(call('ZRANGE', P .. 'groups:' .. id, 0, BATCH - 1)) do
    if is_group(group) and is_member(group, id) then return true end
  end
  for _, other in ipairs(reports(manager_prefix(id), '')) do
    if other ~= id then return true end
  end
  return false
end

-- Has a resource go that the Platform never had.
local function remove(record)
  local link = link_of(id)
  if link.platform_id or #link.intents > 0 then return { 'under_way' } end
  if is_referred() then return { 'referred' } end
  call('HDEL', P .. kind, id)
  call('ZREM', P .. kind .. ':ids', id)
  remove_keys(kind, id, lost_names, lost_keys)
  if kind == 'group' then begin(DISSOLVE, id, now) end
  forget_image(kind, id)
  remove_work(id)
  remove_link(kind, id)
  wake_waiters(id, now)
  told.attributes = '[]'
  log_change('deleted', kind, id, record.version + 1, told, now, now_text)
  return { 'removed' }
end

-- Brings a deleted resource back, a group with its members. A user's memberships ended with it.
local function raise(tombstone, before)
  if names_refused(kind, id, gained_names) then return { 'name_taken' } end
  forget_tombstone(id)
  if call('HGET', P .. kind .. ':buried', tombstone.name) == id then call('HDEL', P .. kind .. ':buried', tombstone.name) end
  before.version = tombstone.version + 1
  before.document_version, before.modified = before.version, now_text
  before.members = kind == 'group' and call('ZCARD', P .. 'members:' .. id) or 0
  add_keys(kind, id, gained_names, gained_keys)
  call('ZADD', P .. kind .. ':ids', 0, id)
  forget_image(kind, id)
  local link = link_of(id)
  link.applied_document = 0
  keep_link(id, link)
  log_change('created', kind, id, before.version, told, now, now_text)
  mark(kind, id, now, traceparent, taking(kind, id, false, false))
  local raw = put_record(kind, id, before)
  if kind == 'user' then begin(REPORTS, id, now) end
  return { 'restored', raw }
end

local work, image = work_of(id), image_of(id)
if work and work.lease then return { 'under_way' } end
if not image then return { 'unknown' } end
local record = record_of(kind, id)
local tombstone = not record and tombstone_of(id) or nil
local version = record and record.document_version or tombstone and tombstone.version or 0
local refused = work and work.state == 'refused'
if version ~= expected or only_if_refused and not (refused and image.first == expected) then return { 'moved' } end
local before = image.record ~= '' and parse_record(image.record)
local answer
if record then
  answer = before and restore(record, before) or not before and remove(record)
elseif before then
  answer = raise(tombstone, before)
else
  return { 'unknown' }
end
if answer[1] == 'restored' or answer[1] == 'removed' then
  if request then call('DEL', P .. 'request:' .. request) end
  if not only_if_refused then log_act('discard', { kind = kind, id = id, origin = told.origin }, now, now_text) end
end
return answer
