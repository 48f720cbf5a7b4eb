import { awkward } from "../testing/conformance/case.js"

/** What a usual login leaves: the sealed profile has one block, and there are no tokens of the provider. */
export const realistic = {
  sub: "mV0bJ3lPqRUbHqg1hGZCTDgP2s2eJ0AqHq0yqGkN8Xk",
  idpIss: "https://tenant.eu.auth0.com/",
  idpSub: "auth0|5f7c8ec7c33c6c004bbafe82",
  device: '{"name":"Ada’s iPhone","platform":"ios","app_version":"4.2.1","ip":"203.0.113.0"}',
  profile: awkward(326),
  grant: null,
}
