-- Who is in which group: sets both ways, and the large change of one.
--
-- A change of more members than one script may touch is written beside, batch by batch, as the group's layer, and comes
-- into force all at once when it is committed: from then on the layer goes before the set, until a chore has merged them.
-- A group has one layer at a time. Its state is `staging` (shows nowhere), `merging` (in force) or `dropped` (given up).
--
-- What `groups:MEMBER` names are candidates: a staged group stands there already, a deleted one still. What a member is in
-- is what the groups say.

-- What a layer says of a member; plus TOLD when the outbox knows of it already.
local OUT, IN_KNOWN, IN_UNKNOWN, TOLD = 0, 1, 2, 10

local layers = {}

-- The group's layer, if it has one.
local function layer_of(group)
  if layers[group] == nil then
    local raw = call('HGET', P .. 'layers', group)
    layers[group] = raw and cjson.decode(raw) or false
  end
  return layers[group]
end

local function merging(group)
  local layer = layer_of(group)
  return layer and layer.state == 'merging' and layer
end

-- What a layer says of a member: whether it is in, whether it is known; nil when it says nothing.
local function layered(group, member)
  local says = tonumber(call('HGET', P .. 'says:' .. group, member) or nil)
  if says then return says % TOLD ~= OUT, says % TOLD == IN_KNOWN, says >= TOLD end
end

-- Whether a deleted user is still to be taken out of its groups.
local function is_leaving(member)
  return call('SISMEMBER', P .. 'leaving', member) == 1
end

-- Whether the set or its layer has a member, be it one that is leaving.
local function in_set(group, member)
  local layer = merging(group)
  if layer then
    local is_in = layered(group, member)
    if is_in ~= nil then return is_in end
    if layer.replace then return false end
  end
  return call('ZSCORE', P .. 'members:' .. group, member) and true or false
end

local function is_member(group, member)
  return in_set(group, member) and not is_leaving(member)
end
