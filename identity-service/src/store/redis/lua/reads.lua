-- What only reads, but for `get` and `find`. Cost: O(log n) and the answer's length, unless said.

local read = {}

-- Ids and records in the order of creation, after so many or after one.
function read.list()
  local kind, after, offset, limit = take(), take_optional(), take_number(), take_number()
  local ids
  if after then
    ids = call('ZRANGEBYLEX', P .. kind .. ':ids', '(' .. after, '+', 'LIMIT', 0, limit)
  else
    ids = call('ZRANGE', P .. kind .. ':ids', offset, offset + limit - 1)
  end
  if #ids == 0 then return { {}, {} } end
  return { ids, call('HMGET', P .. kind, unpack(ids)) }
end

function read.count()
  return call('ZCARD', P .. take() .. ':ids')
end

-- What an unordered look at a key after one of its entries gives.
local function after_lex(key, after, limit)
  return call('ZRANGEBYLEX', key, after and '(' .. after or '-', '+', 'LIMIT', 0, limit)
end

-- Members of the set, and of its layer while that is being merged; the order, and which come too soon, is the caller's:
-- scripts compare texts by the server's locale.
function read.members()
  local group, after, limit = take(), take_optional(), take_number()
  local answer, ends, seen = {}, {}, {}
  -- What a deleted group left is still to be swept.
  if not is_group(group) then return { answer, ends } end
  local unknown = P .. 'unknown:' .. group
  local layer = merging(group)
  local plain = not layer and call('EXISTS', P .. 'leaving') == 0
  local has_unknown = layer or call('EXISTS', unknown) == 1
  for _, key in ipairs(layer and { 'members:', 'layer:' } or { 'members:' }) do
    local page = after_lex(P .. key .. group, after, limit)
    if #page == limit then ends[#ends + 1] = page[limit] end
    for _, member in ipairs(page) do
      if not seen[member] and (plain or is_member(group, member)) then
        seen[member] = true
        local is_known = true
        if has_unknown then
          local is_in, known
          if layer then is_in, known = layered(group, member) end
          if is_in ~= nil then is_known = known else is_known = call('SISMEMBER', unknown, member) == 0 end
        end
        answer[#answer + 1] = { member, is_known and 0 or 1 }
      end
    end
  end
  return { answer, ends }
end

function read.is_member()
  local group, member = take(), take()
  return is_group(group) and is_member(group, member) and 1 or 0
end

-- Cost: as much again for each group that is gone and still to be swept.
function read.groups_of()
  local member, after, limit = take(), take_optional(), take_number()
  local groups = {}
  while #groups < limit do
    local page = after_lex(P .. 'groups:' .. member, after, limit)
    for _, group in ipairs(page) do
      after = group
      if #groups < limit and is_group(group) and is_member(group, member) then groups[#groups + 1] = group end
    end
    if #page < limit then break end
  end
  return groups
end

function read.request()
  return call('GET', P .. 'request:' .. take())
end

function read.log()
  local from, limit = take(), take_number()
  local first = call('XRANGE', FEED, '-', '+', 'COUNT', 1)
  local entries = {}
  if limit > 0 then entries = call('XRANGE', FEED, from .. '-0', '+', 'COUNT', limit) end
  local meta = call('HMGET', META, 'position', 'changes_trimmed')
  return { first[1] and first[1][1] or '', meta[1] or '0', meta[2] or '0', entries }
end

function read.newest_entry()
  return call('HGET', META, 'position') or '0'
end

-- What a claimed piece of work is about: the record or nothing for a tombstone, the link, the members ready.
function read.order()
  local kind, id, batch = take(), take(), take_number()
  local raw = call('HGET', P .. kind, id)
  if not raw and call('HEXISTS', TOMBSTONES, id) == 0 then return {} end
  local members = {}
  if kind == 'group' and raw then
    local work = work_of(id)
    for _, member in ipairs(ready(id, work and work.refused_round or 0, batch)) do
      local platform_id = link_of(member).platform_id
      if platform_id then
        members[#members + 1] = { member, stamp_of(id, member), is_member(id, member) and 1 or 0, platform_id }
      end
    end
  end
  return { raw or '', call('HGET', LINKS, id) or '', members }
end

function read.link()
  return call('HGET', LINKS, take())
end

-- Who stands in an index of owners or intents.
function read.owner()
  local index, name = take(), take()
  local owner = call('HGET', P .. index, name)
  if not owner then return {} end
  return { owner, has_work(owner) and 0 or 1 }
end

-- Who owns each of some Platform objects: its record, its link, and whether it is at rest.
function read.owned()
  local kind, answer = take(), {}
  for i, platform_id in ipairs(take_list()) do
    local owner = call('HGET', P .. kind .. ':owners', platform_id)
    answer[i] = {}
    if owner then
      answer[i] = { owner, call('HGET', P .. kind, owner) or '', call('HGET', LINKS, owner) or '', has_work(owner) and 0 or 1 }
    end
  end
  return answer
end

local function delivery(id)
  local answer
  for _, kind in ipairs({ 'user', 'group' }) do
    local record = record_of(kind, id)
    if record then answer = { kind, string.format('%.0f', record.version), 0 } end
  end
  if not answer then
    local tombstone = tombstone_of(id)
    if not tombstone then return nil end
    answer = { tombstone.kind, string.format('%.0f', tombstone.version), 1 }
  end
  answer[4] = call('HGET', LINKS, id) or ''
  answer[5] = call('HGET', WORK, id) or ''
  -- Members of a large change that is still being merged are unconfirmed, too.
  local layer = merging(id) and call('ZCARD', P .. 'layer:' .. id) or 0
  -- Of what is deleted no member is to be delivered.
  answer[6] = answer[3] == 0 and call('ZCARD', P .. 'pending:' .. id) + layer or 0
  answer[7] = id
  return answer
end

function read.delivery()
  return delivery(take()) or {}
end

-- As with members, the order is the caller's.
function read.deliveries()
  local states, after, limit = take_list(), take_optional(), take_number()
  local answer, ends = {}, {}
  for _, state in ipairs(states) do
    local page = after_lex(P .. 'work:' .. state, after, limit)
    if #page == limit then ends[#ends + 1] = page[limit] end
    for _, id in ipairs(page) do
      -- One that cannot be read must not hide the others.
      local read_well, found = pcall(delivery, id)
      if read_well and found then answer[#answer + 1] = found end
    end
  end
  return { answer, ends }
end

function read.pre_image()
  return call('HGET', P .. 'before', take())
end

-- Where members of a group stand whose wanted state is not confirmed, and their stamps.
function read.stages()
  local group, answer = take(), {}
  for i, member in ipairs(take_list()) do
    local stage = call('ZSCORE', P .. 'pending:' .. group, member)
    answer[i] = stage and { stage, stamp_of(group, member) or 0 } or {}
  end
  return answer
end

function read.comparison()
  return call('HGET', META, 'comparison')
end

function read.credentials()
  return call('HGET', META, 'credentials')
end

function read.pause()
  return call('HGET', META, 'pause')
end

-- When the oldest change was made of what is refused, planned and held, by the set in which it stands.
local function oldest_at_rest()
  local oldest = {}
  local function see(ages, since)
    if not oldest[ages] or since < oldest[ages] then oldest[ages] = since end
  end
  for state, sets in pairs({
    refused = { 'ages:refused' },
    planned = { 'ages:planned' },
    held = { 'ages:held:removals', 'ages:held:deactivations', 'ages:held:alarm' },
  }) do
    local known = 0
    for _, set in ipairs(sets) do
      known = known + call('ZCARD', P .. set)
      -- What a replica of an earlier version took out of the state stands there still.
      local page = call('ZRANGE', P .. set, 0, 9, 'WITHSCORES')
      for i = 1, #page, 2 do
        if call('ZSCORE', P .. 'work:' .. state, page[i]) then
          see(P .. set, tonumber(page[i + 1]))
          break
        end
      end
    end
    -- What a replica of an earlier version put into the state stands nowhere by its age: some of it is looked at.
    if known < call('ZCARD', P .. 'work:' .. state) then
      for _, id in ipairs(call('ZRANGE', P .. 'work:' .. state, 0, 99)) do
        local work = work_of(id)
        if work then see(ages_of(work), work.since) end
      end
    end
  end
  return oldest
end

function read.summary()
  local oldest = oldest_at_rest()
  local function told(set)
    return oldest[P .. set] and string.format('%.0f', oldest[P .. set]) or ''
  end
  return {
    call('ZCARD', P .. 'user:ids'), call('ZCARD', P .. 'group:ids'),
    call('ZCARD', P .. 'work:pending'), call('ZCARD', P .. 'work:refused'), call('ZCARD', P .. 'work:held'),
    call('ZCARD', P .. 'work:planned'),
    call('ZRANGE', AGES, 0, 0, 'WITHSCORES')[2] or '', told('ages:refused'), told('ages:planned'),
    told('ages:held:removals'), told('ages:held:deactivations'), told('ages:held:alarm'),
  }
end

-- === Moving ===

function read.counters()
  return { call('HGET', META, 'stamp') or '0', call('HGET', META, 'import') or '' }
end

-- Ids of one kind, or of tombstones, after one of them.
function read.ids()
  local of, after, limit = take(), take_optional(), take_number()
  return after_lex(P .. of .. ':ids', after, limit)
end

function read.links()
  return call('HMGET', LINKS, unpack(take_list()))
end

-- Each tombstone, and whether a new resource of the name meets this one.
function read.tombstones()
  local answer = {}
  for i, id in ipairs(take_list()) do
    local tombstone = tombstone_of(id)
    local newest = call('HGET', P .. tombstone.kind .. ':buried', tombstone.name) == id
    answer[i] = { call('HGET', TOMBSTONES, id), newest and 1 or 0 }
  end
  return answer
end

function read.unconfirmed()
  local group, offset, limit = take(), take_number(), take_number()
  local answer = {}
  local page = call('ZRANGE', P .. 'pending:' .. group, offset, offset + limit - 1, 'WITHSCORES')
  for i = 1, #page, 2 do answer[#answer + 1] = { page[i], page[i + 1], stamp_of(group, page[i]) } end
  return answer
end

-- The pre-image of each, and which of its names are reserved for it.
function read.images()
  local kinds, answer = take_list(), {}
  for i, id in ipairs(take_list()) do
    local image, reserved = image_of(id), {}
    for _, name in ipairs(image and image.names or {}) do
      if call('HGET', P .. kinds[i] .. ':reserved', name) == id then reserved[#reserved + 1] = name end
    end
    answer[i] = { image and call('HGET', BEFORE, id) or '', reserved }
  end
  return answer
end

-- Those of some tombstones that are groups which may be brought back.
function read.kept_groups()
  local kept = {}
  for _, id in ipairs(take_list()) do
    local kind = tombstone_of(id).kind
    if kind == 'group' and call('HEXISTS', BEFORE, id) == 1 then kept[#kept + 1] = id end
  end
  return kept
end

-- Members that a deleted group gets back if it is brought back.
function read.remains()
  local group, after, limit = take(), take_optional(), take_number()
  local page, answer = after_lex(P .. 'members:' .. group, after, limit), {}
  for i, member in ipairs(page) do answer[i] = { member, call('SISMEMBER', P .. 'unknown:' .. group, member) } end
  return { answer, #page == limit and { page[limit] } or {} }
end

-- How many wait for each.
function read.waiting()
  local counts = {}
  for i, id in ipairs(take_list()) do counts[i] = call('ZCARD', P .. 'waiters:' .. id) end
  return counts
end

function read.waiters()
  local on, offset, limit = take(), take_number(), take_number()
  return call('ZRANGE', P .. 'waiters:' .. on, offset, offset + limit - 1)
end

function read.chores()
  local offset, limit = take_number(), take_number()
  local answer = {}
  for _, name in ipairs(call('ZRANGE', CHORES, offset, offset + limit - 1)) do
    local chore, id = string.match(name, '^(%d+):(.*)$')
    answer[#answer + 1] = { chore, id, call('HGET', CURSORS, name) or '' }
  end
  return answer
end

return read[take()]()
