-- The brakes: how many removals and deactivations the last hour has seen. `brake:B` has an entry for each that passed, named
-- `weight:stamp`, by when; the sum of the weights stands in `meta`.

local HOUR, REMOVALS, DEACTIVATIONS = 3600000, 'removals', 'deactivations'
local MANY, MANY_PERCENT = 20, 20

-- A limit as it comes: nothing, or the least and the share of the users in percent.
local function take_limit()
  local least, percent = take_optional_number(), take_number()
  return least and { least = least, percent = percent }
end

-- Whether so many more may pass, which are then counted.
local function pass(brake, limit, weight, now)
  if not limit or weight == 0 then return true end
  local key, passed = P .. 'brake:' .. brake, 'passed:' .. brake
  for _, old in ipairs(call('ZRANGEBYSCORE', key, '-inf', '(' .. (now - HOUR), 'LIMIT', 0, BATCH)) do
    call('ZREM', key, old)
    call('HINCRBY', META, passed, -tonumber(string.match(old, '^%d+')))
  end
  local most = math.max(limit.least, math.floor(call('ZCARD', P .. 'user:ids') * limit.percent / 100))
  if tonumber(call('HGET', META, passed) or 0) + weight > most then return false end
  call('ZADD', key, now, string.format('%.0f:%.0f', weight, next_stamp()))
  call('HINCRBY', META, passed, weight)
  return true
end

-- What members count for who leave a group at once.
local function weight_of_members(members, out)
  if out >= MANY and out * 100 > members * MANY_PERCENT then return out end
  return 0
end
