-- What a step leaves to be done in batches, so that no script grows with the size of a group: a chore is noted in the step
-- that causes it, begun there, and gone on with by `sweep` until nothing of it is left.

local BATCH = 1000

-- Numbers are kept in the store: never change one.
local DISSOLVE, REPORTS, JOIN_AGAIN, NOW_READY, REFILL = 1, 2, 3, 4, 5

local function page_of(key, cursor)
  return call('ZRANGEBYLEX', key, cursor == '' and '-' or '(' .. cursor, '+', 'LIMIT', 0, BATCH)
end

-- Those who report to a user. Ids are lower case, which is their folded form: `text` is the id as the index has it.
local function reports(prefix, cursor)
  local found = {}
  local from = cursor == '' and '[' .. prefix or '(' .. prefix .. cursor
  local to = '(' .. string.sub(prefix, 1, -2) .. '\1'
  for _, key in ipairs(call('ZRANGEBYLEX', P .. 'user:keys', from, to, 'LIMIT', 0, BATCH)) do
    found[#found + 1] = string.sub(key, #prefix + 1)
  end
  return found
end

-- The prefix of an id's entries in the index of managers.
local function manager_prefix(id)
  local hex = string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
  local text = string.gsub(hex, '^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)', '%1-%2-%3-%4-')
  return '5' .. text .. '\0\0'
end

-- Forgets up to a batch of a deleted group's members, confirmed or not.
local function dissolve(group)
  local members = call('ZRANGE', P .. 'members:' .. group, 0, BATCH - 1)
  for _, member in ipairs(members) do call('ZREM', P .. 'groups:' .. member, group) end
  if #members > 0 then call('ZREM', P .. 'members:' .. group, unpack(members)) end
  local pending = {}
  if #members < BATCH then
    pending = call('ZRANGE', P .. 'pending:' .. group, 0, BATCH - #members - 1)
    for _, member in ipairs(pending) do confirm(group, member) end
  end
  if #members + #pending < BATCH then call('DEL', P .. 'unknown:' .. group) end
  return #members + #pending, ''
end

local function touch(chore, id, other, now)
  if chore == REPORTS then
    if other ~= id then mark('user', other, now) end
  elseif chore == REFILL then
    unconfirm(id, other)
  elseif is_group(other) then
    if chore == JOIN_AGAIN then unconfirm(other, id) else restage(other, id, READY) end
    mark('group', other, now)
  end
end

-- Goes on with a chore from a cursor; gives how many entries it touched.
local function advance(chore, id, cursor, now)
  local touched, next_cursor
  if chore == DISSOLVE then
    touched, next_cursor = dissolve(id)
  else
    local batch
    if chore == REPORTS then
      batch = reports(manager_prefix(id), cursor)
    elseif chore == JOIN_AGAIN then
      batch = page_of(P .. 'groups:' .. id, cursor)
    elseif chore == NOW_READY then
      batch = page_of(P .. 'pending_in:' .. id, cursor)
    else
      batch = page_of(P .. 'members:' .. id, cursor)
    end
    for _, other in ipairs(batch) do touch(chore, id, other, now) end
    -- The step that begins it has the group's work in hand.
    if chore == REFILL and cursor ~= '' and #batch > 0 then mark('group', id, now) end
    touched, next_cursor = #batch, batch[#batch] or cursor
  end
  local name = chore .. ':' .. id
  if touched < BATCH then
    call('ZREM', CHORES, name)
    call('HDEL', CURSORS, name)
  else
    call('ZADD', CHORES, chore, name)
    call('HSET', CURSORS, name, next_cursor)
  end
  return touched
end

local function begin(chore, id, now)
  advance(chore, id, '', now)
end
