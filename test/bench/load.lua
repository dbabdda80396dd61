-- What wrk sends: one row's requests, as the survivors and the team of the stage.  Arguments: stage file, row.
local random, format = math.random, string.format
local paths = {list = "/api/incidents", assignments = "/api/assignments", me = "/api/me"}
local n, next_request = 0

local function reading(path, token)
	return format("GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
end

-- Random like those of phones: ids that ascend would be cheaper for every index.
local function uuid()
	return format("%04x%04x-%04x-4%03x-a%03x-%04x%04x%04x", random(0, 65535), random(0, 65535), random(0, 65535),
		random(0, 4095), random(0, 4095), random(0, 65535), random(0, 65535), random(0, 65535))
end

local function creating()
	local heads = {}
	local length = #format(report, uuid(), 0, 0)
	for i, token in ipairs(tokens) do
		heads[i] = format("POST /api/incidents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n" ..
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", token, length)
	end
	return function()
		local i = n % #tokens + 1
		local town = towns[i]
		n = n + 1
		return heads[i] .. format(report, uuid(), town[1] + random() / 5 - 0.1, town[2] + random() / 5 - 0.1)
	end
end

local function repeating(requests)
	return function()
		n = n + 1
		return requests[n % #requests + 1]
	end
end

function init(arguments)
	dofile(arguments[1])
	local row = arguments[2]
	math.randomseed(os.time() + os.clock() * 1e6)
	if row == "create" then
		next_request = creating()
		return
	end
	local requests = {}
	for i, token in ipairs(row == "assignments" and {team} or tokens) do
		requests[i] = reading(row == "get" and "/api/incidents/" .. reads[i] or paths[row], token)
	end
	next_request = repeating(requests)
end

function request()
	return next_request()
end
