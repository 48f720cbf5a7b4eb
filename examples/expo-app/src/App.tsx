import { StrictMode } from "react"
import { ActivityIndicator, ScrollView } from "react-native"
import { auth, PkceProvider, useLogin, useSession } from "./auth"
import { Home } from "./Home"
import { Button, Card, Note, styles, Title } from "./parts"

export function App() {
  return (
    <StrictMode>
      <PkceProvider client={auth}>
        <ScrollView style={styles.screen} contentContainerStyle={styles.column}>
          <Gate />
        </ScrollView>
      </PkceProvider>
    </StrictMode>
  )
}

function Gate() {
  const { status, session, error } = useSession()
  if (status === "loading") return <ActivityIndicator accessibilityLabel="Loading" />
  if (status === "failed") return <Note label="status">{error.code}</Note>
  return session ? <Home session={session} /> : <SignIn />
}

function SignIn() {
  const { login, isPending, error } = useLogin()
  return (
    <Card>
      <Title>Sign in</Title>
      <Note label="status">{error ? error.code : "signed out"}</Note>
      <Button label="Sign in" isMain disabled={isPending} onPress={() => login()} />
    </Card>
  )
}
