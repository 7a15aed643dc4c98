-- What a step leaves to be done in batches, so that no script grows with the size of a group: a chore is noted in the step
-- that causes it, begun there, and gone on with by `sweep` until nothing of it is left.

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

-- Forgets up to a batch of a deleted group's members: of its set, of those unconfirmed, of its layer.
local function dissolve(group)
  local members = call('ZRANGE', P .. 'members:' .. group, 0, BATCH - 1)
  for _, member in ipairs(members) do call('ZREM', P .. 'groups:' .. member, group) end
  if #members > 0 then call('ZREM', P .. 'members:' .. group, unpack(members)) end
  local touched = #members
  if touched < BATCH then
    for _, member in ipairs(call('ZRANGE', P .. 'pending:' .. group, 0, BATCH - touched - 1)) do
      confirm(group, member)
      touched = touched + 1
    end
  end
  if touched < BATCH then
    for _, member in ipairs(call('ZRANGE', P .. 'layer:' .. group, 0, BATCH - touched - 1)) do
      set_layered(group, member, nil)
      call('ZREM', P .. 'groups:' .. member, group)
      touched = touched + 1
    end
  end
  if touched < BATCH then
    call('DEL', P .. 'unknown:' .. group)
    call('ZREM', P .. 'stagings', group)
    put_layer(group, false)
  end
  return touched
end

-- Takes a deleted user out of a batch of its groups.
local function leave_batch(id, now, now_text, traceparent, origin)
  local groups = call('ZRANGE', P .. 'groups:' .. id, 0, BATCH - 1)
  for _, group in ipairs(groups) do
    if leave_group(group, id) then
      local left = record_of('group', group)
      left.version = left.version + 1
      left.modified = now_text
      left.members = left.members - 1
      put_record('group', group, left)
      local told = { attributes = '["members"]', origin = origin, removed = 1, came = {}, went = { id } }
      log_change('updated', 'group', group, left.version, told, now, now_text)
      mark('group', group, now, traceparent, taking('group', group, true))
    end
  end
  if #groups < BATCH then call('SREM', P .. 'leaving', id) end
  return #groups
end

-- Forgets a batch of what was unconfirmed about an account that is gone: it is in no group any more, and a group that
-- waited for it has one thing less to do.
local function gone_batch(id, now)
  local groups = call('ZRANGE', P .. 'pending_in:' .. id, 0, BATCH - 1)
  for _, group in ipairs(groups) do
    confirm(group, id)
    if is_group(group) and has_work(group) then mark('group', group, now) end
  end
  return #groups
end

-- What was to be done about a deleted user's account is now to be done about its successor's, which is the same.
local function rename_batch(old, new)
  local groups = call('ZRANGE', P .. 'pending_in:' .. old, 0, BATCH - 1)
  for _, group in ipairs(groups) do
    confirm(group, old)
    unconfirm(group, new)
  end
  return #groups
end

-- Makes the membership of each the other one, which is what the Platform has. Who is gone is put in nowhere.
local function put_back(group, members, now, now_text, origin)
  if #members == 0 then return end
  local record, came, went = record_of('group', group), {}, {}
  for _, member in ipairs(members) do
    if is_member(group, member) then
      put_out(group, member)
      went[#went + 1] = member
    elseif call('HEXISTS', P .. 'user', member) == 1 then
      put_in(group, member, true)
      came[#came + 1] = member
    end
    confirm(group, member)
  end
  record.version, record.modified = record.version + 1, now_text
  record.members = record.members + #came - #went
  put_record('group', group, record)
  log_change('updated', 'group', group, record.version, {
    attributes = '["members"]', origin = origin, added = #came, removed = #went, came = came, went = went,
  }, now, now_text)
  mark('group', group, now)
end

local function held_batch(group)
  return call('ZRANGEBYSCORE', P .. 'pending:' .. group, HELD, HELD, 'LIMIT', 0, BATCH)
end

-- Puts a batch of a group's held members in again.
local function restore_batch(group, now, now_text, origin)
  local batch = held_batch(group)
  if is_group(group) then put_back(group, batch, now, now_text, origin) end
  return #batch
end

-- Lets a batch of a group's held members be taken out.
local function release_batch(group, now)
  local batch = held_batch(group)
  for _, member in ipairs(batch) do restage(group, member, READY) end
  if #batch > 0 and is_group(group) then mark('group', group, now) end
  return #batch
end

local function touch(chore, id, other, now)
  if chore == REPORTS then
    if other ~= id then mark('user', other, now) end
  elseif chore == REFILL then
    unconfirm(id, other)
  else
    if chore == NOW_READY then
      restage(other, id, READY)
    elseif is_member(other, id) then
      unconfirm(other, id)
    end
    -- A group that is gone, and may be brought back, has nothing to be delivered until then.
    if is_group(other) then mark('group', other, now) end
  end
end

-- Goes on with a chore that looks at each of a set once; gives how many it touched and where to go on.
local function look_at_each(chore, id, cursor, now)
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
  return #batch, batch[#batch] or cursor
end

-- Goes on with a chore; gives how many entries it touched. The time is the caller's, and who asked for
-- the step that began it, while that is the caller.
local function advance(chore, id, cursor, now, now_text, traceparent, origin)
  local touched, is_done
  if chore == MERGE then
    touched = merge(id, now)
    is_done = touched == 0
  else
    if chore == DISSOLVE then
      touched = dissolve(id)
    elseif chore == LEAVE then
      touched = leave_batch(id, now, now_text, traceparent, origin)
    elseif chore == WAKE then
      touched = wake_waiters(id, now)
    elseif chore == GONE then
      touched = gone_batch(id, now)
    elseif chore == RESTORE then
      touched = restore_batch(id, now, now_text, origin)
    elseif chore == RELEASE then
      touched = release_batch(id, now)
    elseif chore == RENAME then
      touched = rename_batch(id, cursor)
    else
      touched, cursor = look_at_each(chore, id, cursor, now)
    end
    is_done = touched < BATCH
  end
  local name = chore .. ':' .. id
  if is_done then
    call('ZREM', CHORES, name)
    call('HDEL', CURSORS, name)
  else
    call('ZADD', CHORES, chore, name)
    if cursor ~= '' and chore ~= MERGE then call('HSET', CURSORS, name, cursor) end
  end
  return touched
end

local function begin(chore, id, now)
  advance(chore, id, '', now)
end
