-- Goes on with one of the tenant's chores, or with the layer of one group: at most a batch of entries. Gives how many it
-- touched, 0 when nothing is left of the chores from a number on. Before that it takes out what the log no longer keeps.

local now, now_text, group, least = take_number(), take(), take_optional(), take_number()

if group then
  local layer = layer_of(group)
  if not layer then return 0 end
  -- What another stages is its own, as long as it is at it.
  if layer.state == 'staging' then return -1 end
  return advance(MERGE, group, '', now)
end

local trimmed = trim_log(now, BATCH)
if trimmed > 0 then return trimmed end
local late = call('ZRANGEBYSCORE', P .. 'stagings', '-inf', now, 'LIMIT', 0, 1)[1]
if late then
  local layer = layer_of(late)
  if layer then end_staging(late, layer, 'dropped') else call('ZREM', P .. 'stagings', late) end
end
local first = call('ZRANGEBYSCORE', CHORES, least, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if #first == 0 then return 0 end
local name, chore = first[1], tonumber(first[2])
local id = string.match(name, '^%d+:(.*)$')
-- A chore that finds nothing left was done all the same.
return math.max(1, advance(chore, id, call('HGET', CURSORS, name) or '', now, now_text))
