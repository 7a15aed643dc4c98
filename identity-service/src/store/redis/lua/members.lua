-- Memberships as sets, both ways.

local function is_member(group, member)
  return call('ZSCORE', P .. 'members:' .. group, member) and true or false
end

-- Whether each id may be a member: gives which of them are users, or why one may not.
local function check_members(ids, keep_unknown)
  local known = {}
  for i, id in ipairs(ids) do
    if call('HEXISTS', P .. 'user', id) == 1 then
      known[i] = true
    elseif is_group(id) then
      return nil, { 'nested', id }
    elseif not keep_unknown then
      return nil, { 'unknown', id }
    end
  end
  return known
end

-- Puts members in and out; gives how many came and went.
local function apply_members(group, add, known, remove)
  local members, unknown = P .. 'members:' .. group, P .. 'unknown:' .. group
  local added, removed = 0, 0
  for i, member in ipairs(add) do
    if call('ZADD', members, 0, member) == 1 then
      call('ZADD', P .. 'groups:' .. member, 0, group)
      if not known[i] then call('SADD', unknown, member) end
      added = added + 1
      join(group, member, known[i])
    end
  end
  for _, member in ipairs(remove) do
    if call('ZREM', members, member) == 1 then
      call('ZREM', P .. 'groups:' .. member, group)
      call('SREM', unknown, member)
      removed = removed + 1
      leave(group, member)
    end
  end
  return added, removed
end

-- The members of a group that are not among those given.
local function others(group, stay)
  local stays, out = {}, {}
  for _, member in ipairs(stay) do stays[member] = true end
  for _, member in ipairs(call('ZRANGE', P .. 'members:' .. group, 0, -1)) do
    if not stays[member] then out[#out + 1] = member end
  end
  return out
end
