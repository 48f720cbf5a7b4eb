import type { ClientSession, SessionSummary } from "@pkce/client"
import { useCallback, useEffect, useState } from "react"
import { auth } from "./auth"
import { Button, Card, Note, Row, Title } from "./parts"

export function Home({ session }: { session: ClientSession }) {
  const [answer, setAnswer] = useState("")
  const [devices, setDevices] = useState<SessionSummary[]>([])
  const [isBusy, setBusy] = useState(false)

  /** One action at a time; its failure is shown by its stable code. */
  const run = useCallback(async (action: () => Promise<string>) => {
    setBusy(true)
    try {
      setAnswer(await action())
    } catch (error) {
      setAnswer((error as { code?: string }).code ?? "failed")
    }
    setBusy(false)
  }, [])

  const list = useCallback(async () => {
    setDevices(await auth.sessions.list())
    return ""
  }, [])
  useEffect(() => void run(list), [run, list])

  async function callApi() {
    const response = await auth.fetch("/me")
    if (!response.ok) return `the API answered ${response.status}`
    const { user } = await response.json()
    return `the API knows you as ${user.name}`
  }
  async function refresh() {
    const before = await auth.getSessionToken()
    return (await auth.refresh()) === before ? "fresh enough: one step in ten seconds" : "refreshed"
  }
  async function end(id: string) {
    await auth.sessions.revoke(id)
    return list()
  }
  async function signOut() {
    await auth.logout()
    return ""
  }

  return (
    <>
      <Card>
        <Title>{String(session.user?.name ?? "Somebody")}</Title>
        <Note label="status">signed in</Note>
        <Row>
          <Button label="Call the API" isMain disabled={isBusy} onPress={() => run(callApi)} />
          <Button label="Refresh" disabled={isBusy} onPress={() => run(refresh)} />
          <Button label="Sign out" disabled={isBusy} onPress={() => run(signOut)} />
        </Row>
        <Note label="answer">{answer}</Note>
      </Card>
      <Card>
        <Title>Devices</Title>
        {devices.map(({ session_id, current, device }) => (
          <Row key={session_id}>
            <Note label="device">{`${device.name ?? "A device"}${current ? " (this one)" : ""}`}</Note>
            {!current && <Button label="End" disabled={isBusy} onPress={() => run(() => end(session_id))} />}
          </Row>
        ))}
      </Card>
    </>
  )
}
