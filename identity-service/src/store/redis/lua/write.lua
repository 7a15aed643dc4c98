-- Creates, updates or deletes one resource: every check first, then every write.
--
-- Cost: O(log n) for the resource, and as much again for each member that comes or goes, each group that a deleted user
-- leaves, and each waiter that is woken, each of them at most a batch; for each entry of the
-- log a few old ones go (log.lua).

local action, kind, id = take(), take(), take()
local now, now_text = take_number(), take()
local if_version, keep_unknown, traceparent = take_optional_number(), take_optional(), take_optional()
local usable_before, usable_after, deletion_disables = take_optional(), take_optional(), take_optional()
local removals_limit, deactivations_limit = take_limit(), take_limit()
local diff, origin = take_optional(), take_optional()
local request, digest, memory, horizon = take_optional(), take(), take_number(), take_number()

local IDS = P .. kind .. ':ids'

-- What was answered to a request id, if it is not too old: `at digest changed kind id`, a line feed, the record.
local function answered()
  local raw = call('GET', P .. 'request:' .. request)
  local when = raw and tonumber(string.match(raw, '^(%d+) '))
  if when and when >= horizon then return { 'answered', raw } end
end

local function remember(raw, changed)
  if request then
    local hex = string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
    local answer = string.format('%.0f %s %d %s %s\n', now, digest, changed, kind, hex) .. raw
    call('SET', P .. 'request:' .. request, answer, 'PX', memory)
  end
  return changed
end

local function create()
  local document, attributes = take(), take()
  local names, keys, members, staged = take_list(), take_list(), take_list(), take_optional()
  local name_refused = names_refused(kind, id, names)
  if name_refused then return name_refused end
  local known, refused = check_members(members, keep_unknown)
  if refused then return refused end
  local told = { attributes = attributes, diff = diff, origin = origin }
  if staged then
    told.added = commit_layer(id, staged, 0)
    if not told.added then return { 'gone' } end
  end

  add_keys(kind, id, names, keys)
  call('ZADD', IDS, 0, id)
  if not staged then
    told.came, told.went = apply_members(id, members, known, {})
    told.added = #told.came
  end
  local record = {
    version = 1, document_version = 1, created = now_text, modified = now_text, members = told.added, document = document,
  }
  local raw = put_record(kind, id, record)
  log_change('created', kind, id, 1, told, now, now_text)
  mark(kind, id, now, traceparent)
  local taken_over = false
  for _, name in ipairs(names) do taken_over = take_over(kind, id, name, now) or taken_over end
  if not taken_over then put_image(id, 1, {}, '') end
  return { 'ok', raw, remember(raw, 1), 0, '' }
end

-- The brake on deactivations: its name when it comes on, `false` when it is on no longer, nothing when it is as it was.
local function brake_on_use()
  if usable_after then return false end
  if not usable_before then return nil end
  local link = link_of(id)
  local ends = link.platform_id and not link.disabled
  if not ends or pass(DEACTIVATIONS, deactivations_limit, 1, now) then return false end
  return DEACTIVATIONS
end

-- The brake that comes on for a deletion. Where it is the one on removals, a user's account is disabled all the same, unless
-- too many are.
local function brake_on_deletion(record)
  local link = link_of(id)
  if not link.platform_id and #link.intents == 0 then return nil end
  local removes = kind == 'group' or not deletion_disables
  local weight = kind == 'group' and math.max(1, weight_of_members(record.members, record.members)) or 1
  if removes and pass(REMOVALS, removals_limit, weight, now) then return nil end
  -- Who is held by that brake can be used still.
  local work = work_of(id)
  local usable = usable_before or (work and work.braked == DEACTIVATIONS)
  local disables = kind == 'user' and usable and not link.disabled
  if disables and not pass(DEACTIVATIONS, deactivations_limit, 1, now) then return DEACTIVATIONS end
  return removes and REMOVALS or nil
end

local function update(record, before)
  local changes_document = take_optional()
  local expected, document, attributes, attributes_with_members = take_number(), take(), take(), take()
  local old_names, gained_names, lost_names = take_list(), take_list(), take_list()
  local gained_keys, lost_keys = take_list(), take_list()
  local changes_members, replace = take_optional(), take_optional()
  local add, remove, staged = take_list(), take_list(), take_optional()
  if changes_document then
    if expected ~= record.document_version then return { 'moved' } end
    local name_refused = names_refused(kind, id, gained_names)
    if name_refused then return name_refused end
  end
  local known, refused = check_members(add, keep_unknown)
  if refused then return refused end

  local added, removed = 0, 0
  local told = { diff = diff, origin = origin }
  if staged then
    added, removed = commit_layer(id, staged, record.members)
    if not added then return { 'gone' } end
  elseif changes_members then
    if replace then remove = others(id, add) end
    if not remove then return { 'large' } end
    told.came, told.went = apply_members(id, add, known, remove)
    added, removed = #told.came, #told.went
  end
  local members_changed = added + removed > 0
  if not changes_document and not members_changed then return { 'ok', before, remember(before, 0), 0, '' } end
  local held_members = not pass(REMOVALS, removals_limit, weight_of_members(record.members, removed), now)
  if held_members then
    for _, member in ipairs(told.went or {}) do restage(id, member, HELD) end
    if staged then
      local layer = layer_of(id)
      layer.held = true
      put_layer(id, layer)
    end
  end
  local braked
  if changes_document and kind == 'user' then braked = brake_on_use() end
  if changes_document then keep_image(id, record, before, old_names, record.version + 1) end
  record.version = record.version + 1
  record.modified = now_text
  record.members = record.members + added - removed
  if changes_document then
    record.document_version = record.version
    record.document = document
    remove_keys(kind, id, lost_names, lost_keys)
    add_keys(kind, id, gained_names, gained_keys)
    if #lost_names + #gained_names > 0 then reserve_names(kind, id) end
  end
  local raw = put_record(kind, id, record)
  told.attributes, told.added, told.removed = members_changed and attributes_with_members or attributes, added, removed
  log_change('updated', kind, id, record.version, told, now, now_text)
  mark(kind, id, now, traceparent, taking(kind, id, (usable_before and not usable_after) or removed > 0, braked))
  return { 'ok', raw, remember(raw, 1), replace and removed or 0, braked or held_members and REMOVALS or '' }
end

local function delete(record, before)
  local expected, names, keys = take_number(), take_list(), take_list()
  if expected ~= record.document_version then return { 'moved' } end

  call('HDEL', P .. kind, id)
  call('ZREM', IDS, id)
  remove_keys(kind, id, names, keys)
  keep_image(id, record, before, names, record.version + 1)
  if call('ZCARD', P .. 'groups:' .. id) >= BATCH then call('SADD', P .. 'leaving', id) end
  advance(LEAVE, id, '', now, now_text, traceparent, origin)
  local braked = brake_on_deletion(record)
  if kind == 'user' then begin(REPORTS, id, now) end
  log_change('deleted', kind, id, record.version + 1, { attributes = '[]', diff = diff, origin = origin }, now, now_text)
  bury(kind, id, names[1] or '', record.version + 1, now, now_text, traceparent, braked)
  return { 'ok', before, remember(before, 1), 0, braked or '' }
end

local answer = request and answered()
if answer then return answer end
if action == 'create' then return create() end
local record, before = record_of(kind, id)
if not record then return { 'not_found' } end
if if_version and if_version ~= record.version then
  return { 'version', string.format('%.0f', record.version) }
end
if action == 'update' then return update(record, before) end
return delete(record, before)
