-- Resources of some ids, under a key or from a place in the list on, each with the first of the groups that it is in. Takes
-- what it needs without `base`: it is run the most.
--
-- Cost: O(log n) for each resource and each group, of which it touches at most BATCH together.

local kind, groups, how = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local ids, more = {}, 0
if how == 'ids' then
  ids = { unpack(ARGV, 4) }
elseif how == 'name' then
  ids[1] = call('HGET', P .. kind .. ':names', ARGV[4]) or nil
else
  local from, limit = ARGV[4], tonumber(ARGV[5])
  if how == 'key' then
    local to = '(' .. string.sub(from, 1, -2) .. '\1'
    for i, found in ipairs(call('ZRANGEBYLEX', P .. kind .. ':keys', '[' .. from, to, 'LIMIT', 0, limit)) do
      ids[i] = string.sub(found, #from + 1)
    end
  elseif how == 'after' then
    ids = call('ZRANGEBYLEX', P .. kind .. ':ids', '(' .. from, '+', 'LIMIT', 0, limit)
  else
    ids = call('ZRANGE', P .. kind .. ':ids', from, from + limit - 1)
  end
  if #ids == limit then more = 1 end
end
local answer = { more }
if #ids == 0 then return answer end

local left = BATCH - #ids

-- Adds the groups of a member after what is known of it: whether there may be more, then ids and records.
local function add_groups(member, seen)
  local limit = math.min(groups, left)
  seen[3] = 1
  if limit <= 0 then return end
  local page = call('ZRANGE', P .. 'groups:' .. member, 0, limit - 1)
  left = left - #page
  if #page < limit then seen[3] = 0 end
  if #page == 0 or is_leaving(member) then return end
  for i, raw in ipairs(call('HMGET', P .. 'group', unpack(page))) do
    -- Of a group that is gone, what it left is still to be swept.
    if raw and in_set(page[i], member) then
      seen[#seen + 1] = page[i]
      seen[#seen + 1] = raw
    end
  end
end

for i, raw in ipairs(call('HMGET', P .. kind, unpack(ids))) do
  if raw then
    local seen = { ids[i], raw }
    add_groups(ids[i], seen)
    answer[#answer + 1] = seen
  end
end
return answer
