-- Changes of members, small and large, on top of `sets`.

local function put_layer(group, layer)
  layers[group] = layer
  if layer then
    call('HSET', P .. 'layers', group, cjson.encode(layer))
  else
    call('HDEL', P .. 'layers', group)
  end
end

-- Has a layer say something of a member; nothing, where `says` is nil.
local function set_layered(group, member, says)
  if says then
    call('ZADD', P .. 'layer:' .. group, 0, member)
    call('HSET', P .. 'says:' .. group, member, says)
  else
    call('ZREM', P .. 'layer:' .. group, member)
    call('HDEL', P .. 'says:' .. group, member)
  end
end

-- Whether each id may be a member: gives which of them are users, or why one may not.
local function check_members(ids, keep_unknown)
  local known = {}
  for i, id in ipairs(ids) do
    if call('HEXISTS', P .. 'user', id) == 1 then
      known[i] = true
    elseif is_group(id) then
      return nil, { 'nested', id }
    elseif not keep_unknown or is_leaving(id) then
      return nil, { 'unknown', id }
    end
  end
  return known
end

-- Tells a layer that is being staged that a member came or went meanwhile: what it counts is what it would change.
local function tell_staged(group, member, came)
  local layer = layer_of(group)
  if not layer or layer.state ~= 'staging' then return end
  local is_in = layered(group, member)
  if is_in == nil then return end
  local step = came and 1 or -1
  if is_in then
    layer.kept, layer.new = layer.kept + step, layer.new - step
  else
    layer.out = layer.out + step
  end
  put_layer(group, layer)
end

local function put_in(group, member, known)
  if merging(group) then
    set_layered(group, member, TOLD + (known and IN_KNOWN or IN_UNKNOWN))
  else
    call('ZADD', P .. 'members:' .. group, 0, member)
    if not known then call('SADD', P .. 'unknown:' .. group, member) end
    tell_staged(group, member, true)
  end
  call('ZADD', P .. 'groups:' .. member, 0, group)
  join(group, member, known)
end

local function put_out(group, member)
  if merging(group) then
    set_layered(group, member, TOLD + OUT)
  else
    call('ZREM', P .. 'members:' .. group, member)
    call('SREM', P .. 'unknown:' .. group, member)
    tell_staged(group, member, false)
  end
  -- What a layer names stays a candidate until the layer is merged.
  if not layer_of(group) or layered(group, member) == nil then call('ZREM', P .. 'groups:' .. member, group) end
  leave(group, member)
end

-- Puts members in and out; gives who came and went.
local function apply_members(group, add, known, remove)
  local came, went = {}, {}
  for i, member in ipairs(add) do
    if not is_member(group, member) then
      put_in(group, member, known[i])
      came[#came + 1] = member
    end
  end
  for _, member in ipairs(remove) do
    if is_member(group, member) then
      put_out(group, member)
      went[#went + 1] = member
    end
  end
  return came, went
end

-- The members of a group that are not among those given; nothing when they are more than one script may touch.
local function others(group, stay)
  if layer_of(group) or call('ZCARD', P .. 'members:' .. group) > BATCH then return nil end
  local stays, out = {}, {}
  for _, member in ipairs(stay) do stays[member] = true end
  for _, member in ipairs(call('ZRANGE', P .. 'members:' .. group, 0, -1)) do
    if not stays[member] then out[#out + 1] = member end
  end
  return out
end

-- Forgets a deleted resource in what a group is about to become.
local function unstage(group, member)
  local layer = layer_of(group)
  local is_in = layer and layer.state == 'staging' and layered(group, member)
  if not is_in then return end
  set_layered(group, member, nil)
  if in_set(group, member) then layer.kept = layer.kept - 1 else layer.new = layer.new - 1 end
  put_layer(group, layer)
end

-- Takes a deleted user out of one of its groups; gives whether it was in.
local function leave_group(group, member)
  unstage(group, member)
  local was_in = is_group(group) and in_set(group, member)
  if was_in then put_out(group, member) end
  -- Nor is it in one any more that is gone and may be brought back.
  if not is_group(group) and call('ZREM', P .. 'members:' .. group, member) == 1 then leave(group, member) end
  call('ZREM', P .. 'groups:' .. member, group)
  return was_in
end

-- === Large changes ===

-- Has a chore merge a layer into the set, or forget it.
local function end_staging(group, layer, state)
  layer.state = state
  put_layer(group, layer)
  call('ZREM', P .. 'stagings', group)
  call('ZADD', CHORES, MERGE, MERGE .. ':' .. group)
end

-- Puts a layer that was staged in force; gives how many members come and go with it, or nothing when there is no such
-- layer any more.
local function commit_layer(group, token, members)
  local layer = layer_of(group)
  if not layer or layer.token ~= token or layer.state ~= 'staging' then return nil end
  local removed = layer.out
  if layer.replace then removed = members - layer.kept end
  if layer.new + removed == 0 then
    end_staging(group, layer, 'dropped')
    return 0, 0
  end
  end_staging(group, layer, 'merging')
  return layer.new, removed
end

-- Notes that a member left by a large change, which a brake may hold.
local function leave_with(layer, group, member)
  leave(group, member)
  if layer.held then restage(group, member, HELD) end
end

-- Merges a batch of what a layer says into the set.
local function merge_batch(group, layer)
  local members, unknown, key = P .. 'members:' .. group, P .. 'unknown:' .. group, P .. 'layer:' .. group
  local batch = call('ZRANGE', key, 0, BATCH - 1)
  for _, member in ipairs(batch) do
    local is_in, known, told = layered(group, member)
    local counts = layer.state == 'merging'
    if is_in and counts then
      if call('ZADD', members, 0, member) == 1 and not told then join(group, member, known) end
      if known then call('SREM', unknown, member) else call('SADD', unknown, member) end
    elseif not counts then
      if not call('ZSCORE', members, member) then call('ZREM', P .. 'groups:' .. member, group) end
    else
      local was_in = call('ZREM', members, member) == 1
      call('SREM', unknown, member)
      call('ZREM', P .. 'groups:' .. member, group)
      if was_in and not told then leave_with(layer, group, member) end
    end
  end
  if #batch > 0 then
    call('ZREM', key, unpack(batch))
    call('HDEL', P .. 'says:' .. group, unpack(batch))
  end
  if #batch < BATCH then put_layer(group, false) end
  return #batch
end

-- Takes a batch of members out whom a replacing layer does not name.
local function replace_batch(group, layer)
  local members, cursor = P .. 'members:' .. group, call('HGET', CURSORS, MERGE .. ':' .. group)
  local from = cursor and '(' .. cursor or '-'
  local batch = call('ZRANGEBYLEX', members, from, '+', 'LIMIT', 0, BATCH)
  for _, member in ipairs(batch) do
    if layered(group, member) == nil then
      call('ZREM', members, member)
      call('SREM', P .. 'unknown:' .. group, member)
      call('ZREM', P .. 'groups:' .. member, group)
      leave_with(layer, group, member)
    end
  end
  if #batch == BATCH then
    call('HSET', CURSORS, MERGE .. ':' .. group, batch[BATCH])
  else
    layer.replace = nil
    put_layer(group, layer)
  end
  return #batch
end

-- Goes on with a layer; gives how many members it touched, 0 when it is done with.
local function merge(group, now)
  local layer = layer_of(group)
  if not layer or layer.state == 'staging' then return 0 end
  if layer.state == 'merging' and not is_group(group) then
    layer.state = 'dropped'
    put_layer(group, layer)
  end
  local touched
  if layer.state == 'merging' and layer.replace then
    touched = replace_batch(group, layer)
  else
    touched = merge_batch(group, layer)
  end
  if layer.state == 'merging' then mark('group', group, now) end
  return layer_of(group) and math.max(1, touched) or 0
end
