export default function Page() {
  return <p>The login is at /auth, the API at /me.</p>
}
