-- Writes a batch of a large change of members beside the group, as its layer; it shows nowhere until it is committed.
--
-- Cost: O(log n) for each member of the batch.

local group, token, expires = take(), take(), take_number()
local creates, replace, keep_unknown, drops = take_optional(), take_optional(), take_optional(), take_optional()
local add, remove = take_list(), take_list()

local layer = layer_of(group)
if drops then
  if layer and layer.token == token and layer.state == 'staging' then end_staging(group, layer, 'dropped') end
  return { 'staged' }
end
if (creates ~= nil) == is_group(group) then return { creates and 'busy' or 'not_found' } end
if layer and layer.token ~= token then return { 'busy' } end
if layer and layer.state ~= 'staging' then return { 'gone' } end
local known, refused = check_members(add, keep_unknown)
if refused then return refused end

layer = layer or { token = token, state = 'staging', replace = replace ~= nil, new = 0, kept = 0, out = 0 }
call('ZADD', P .. 'stagings', expires, group)
for i, member in ipairs(add) do
  -- A batch that is sent twice counts once.
  if layered(group, member) == nil then
    set_layered(group, member, known[i] and IN_KNOWN or IN_UNKNOWN)
    call('ZADD', P .. 'groups:' .. member, 0, group)
    if in_set(group, member) then layer.kept = layer.kept + 1 else layer.new = layer.new + 1 end
  end
end
for _, member in ipairs(remove) do
  if layered(group, member) == nil then
    set_layered(group, member, OUT)
    if in_set(group, member) then layer.out = layer.out + 1 end
  end
end
put_layer(group, layer)
return { 'staged' }
