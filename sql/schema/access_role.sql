-- access, its roles: which role has access of which kind, and for whom the caller acts. What they may see and do is in
-- sql/schema/access.sql, after all that is to be seen.

CREATE TABLE crm.access_role (
    role name PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('reader', 'agent', 'manager', 'admin', 'partner'))
);
COMMENT ON TABLE crm.access_role IS 'which roles have access of which kind; written by crm.grant_access()';
COMMENT ON COLUMN crm.access_role.role IS 'database role; its members have its access';
COMMENT ON COLUMN crm.access_role.kind IS 'reader, agent, manager, admin (these see all customers) or partner';

-- In a function that runs as its owner current_user is the owner; who called it is the role that was set, or logged in.
CREATE FUNCTION crm.acting_role() RETURNS name
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END;
END;
COMMENT ON FUNCTION crm.acting_role() IS 'the role that the caller acts as, also within functions that run as their owner';

CREATE FUNCTION crm.has_role(role name) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(pg_has_role(crm.acting_role(), to_regrole(quote_ident(role))::oid, 'USAGE'), false);
END;
COMMENT ON FUNCTION crm.has_role(name) IS 'does the caller act as this role, itself or as a member; false if there is no such role';

CREATE FUNCTION crm.is_staff() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM crm.access_role AS a WHERE a.kind <> 'partner' AND crm.has_role(a.role));
END $$;
COMMENT ON FUNCTION crm.is_staff() IS 'has the caller access as reader, agent, manager or admin, itself or as a member';

GRANT SELECT ON crm.access_role TO PUBLIC;
ALTER TABLE crm.access_role ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON crm.access_role FOR SELECT USING (crm.has_role(role));
COMMENT ON POLICY own ON crm.access_role IS 'a role sees what concerns itself';
