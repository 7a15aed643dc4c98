-- What every script begins with: what a tenant's keys begin with, and the way to Redis.

local P, call = KEYS[1], redis.call
