import { useState } from "react"
import { Button, Text, View } from "react-native"
import { auth, PkceProvider, useLogin, useSession } from "./auth"

export const App = () => (
  <PkceProvider client={auth}>
    <View style={{ flex: 1, justifyContent: "center", gap: 12, padding: 24 }}>
      <Gate />
    </View>
  </PkceProvider>
)

function Gate() {
  const { status, session, error } = useSession()
  if (status === "loading") return <Text>…</Text>
  if (status === "failed") return <Text>{error.code}</Text>
  return session ? <Home name={String(session.user?.name ?? "Somebody")} /> : <SignIn />
}

function SignIn() {
  const { login, isPending, error } = useLogin()
  return (
    <>
      <Text>{error ? `Try again (${error.code})` : "Nobody is signed in."}</Text>
      <Button title="Sign in" disabled={isPending} onPress={() => void login()} />
    </>
  )
}

function Home({ name }: { name: string }) {
  const [answer, setAnswer] = useState("")
  const show = (work: Promise<string>) =>
    void work.catch((error: { code?: string }) => error.code ?? "failed").then(setAnswer)
  const callApi = async () => (await auth.fetch("/me")).text()
  const refresh = async () => ((await auth.refresh()) ? "refreshed" : "signed out")
  const devices = async () => (await auth.sessions.list()).map(({ device }) => device.name).join(", ")
  return (
    <>
      <Text>{name}</Text>
      <Button title="Call the API" onPress={() => show(callApi())} />
      <Button title="Refresh" onPress={() => show(refresh())} />
      <Button title="Devices" onPress={() => show(devices())} />
      <Button title="Sign out" onPress={() => show(auth.logout().then(() => ""))} />
      <Text>{answer}</Text>
    </>
  )
}
