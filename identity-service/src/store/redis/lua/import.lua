-- Puts entries of an export as they are, with the indexes that follow from them; putting one again changes nothing. Ends at
-- the first that does not go with what is there: gives its number and why.
--
-- Cost: O(log n) for each entry, and for each member of one.

local put = {}

-- What comes after must be told from what was brought along.
local function raise_stamp(stamp)
  if stamp > tonumber(call('HGET', META, 'stamp') or 0) then call('HSET', META, 'stamp', string.format('%.0f', stamp)) end
end

function put.counters()
  raise_stamp(take_number())
  local pause = take_optional()
  if pause then call('HSET', META, 'pause', pause) end
  local credentials = take_optional()
  if credentials then call('HSET', META, 'credentials', credentials) end
end

function put.resource()
  local kind, id, raw = take(), take(), take()
  local old_names, old_keys, names, keys = take_list(), take_list(), take_list(), take_list()
  for _, name in ipairs(names) do
    local other = call('HGET', P .. kind .. ':names', name)
    if other and other ~= id then return 'another one has its name' end
  end
  for _, name in ipairs(old_names) do call('HDEL', P .. kind .. ':names', name) end
  for _, key in ipairs(old_keys) do call('ZREM', P .. kind .. ':keys', key .. id) end
  for _, name in ipairs(names) do call('HSET', P .. kind .. ':names', name, id) end
  if #keys > 0 then
    local entries = {}
    for i, key in ipairs(keys) do entries[2 * i - 1], entries[2 * i] = 0, key .. id end
    call('ZADD', P .. kind .. ':keys', unpack(entries))
  end
  call('HSET', P .. kind, id, raw)
  call('ZADD', P .. kind .. ':ids', 0, id)
end

function put.members()
  local group, known, unknown = take(), take_list(), take_list()
  for _, members in ipairs({ known, unknown }) do
    for _, member in ipairs(members) do
      call('ZADD', P .. 'members:' .. group, 0, member)
      call('ZADD', P .. 'groups:' .. member, 0, group)
    end
  end
  for _, member in ipairs(known) do call('SREM', P .. 'unknown:' .. group, member) end
  for _, member in ipairs(unknown) do call('SADD', P .. 'unknown:' .. group, member) end
end

function put.link()
  local kind, id, raw = take(), take(), take()
  local link = cjson.decode(raw)
  local owners, intents = P .. kind .. ':owners', P .. kind .. ':intents'
  local owner = link.platform_id and call('HGET', owners, link.platform_id)
  if owner and owner ~= id then return 'another resource owns its Platform object' end
  for _, intent in ipairs(link.intents or {}) do
    local other = call('HGET', intents, intent.folded)
    if other and other ~= id then return 'another resource has an intent of the name' end
  end
  if call('HEXISTS', LINKS, id) == 1 then remove_link(kind, id) end
  if link.platform_id then call('HSET', owners, link.platform_id, id) end
  for _, intent in ipairs(link.intents or {}) do call('HSET', intents, intent.folded, id) end
  call('HSET', LINKS, id, raw)
end

function put.tombstone()
  local kind, id, name, raw, newest = take(), take(), take(), take(), take_optional()
  call('HSET', TOMBSTONES, id, raw)
  call('ZADD', TOMBSTONES .. ':ids', 0, id)
  if newest then call('HSET', P .. kind .. ':buried', name, id) end
end

function put.unconfirmed()
  local group, members, newest = take(), take_list(), 0
  for i = 1, #members, 3 do
    stand(group, members[i], members[i + 1], members[i + 2])
    newest = math.max(newest, tonumber(members[i + 2]))
  end
  raise_stamp(newest)
end

function put.work()
  local id, raw = take(), take()
  local work, old = cjson.decode(raw), work_of(id)
  put_work(id, work, old and old.state)
  raise_stamp(work.stamp)
  local first = take_optional_number()
  if not first then return end
  local names, record = take_list(), take()
  put_image(id, first, names, record)
  for _, name in ipairs(take_list()) do call('HSET', P .. work.kind .. ':reserved', name, id) end
end

function put.waiting()
  local on, waiter = take(), take()
  add_waiter(on, waiter)
end

function put.chore()
  local chore, id, after = take(), take(), take()
  local name = chore .. ':' .. id
  call('ZADD', CHORES, chore, name)
  if after ~= '' then call('HSET', CURSORS, name, after) else call('HDEL', CURSORS, name) end
end

-- How far an import is; an earlier part that is put again does not take the mark back.
function put.mark()
  local source, lines, raw = take(), take_number(), take_optional()
  if not raw then return call('HDEL', META, 'import') end
  local old = call('HGET', META, 'import')
  local known = old and cjson.decode(old)
  if not known or known.source ~= source or known.lines <= lines then call('HSET', META, 'import', raw) end
end

for i = 1, take_number() do
  local problem = put[take()]()
  if type(problem) == 'string' then return { i, problem } end
end
return {}
