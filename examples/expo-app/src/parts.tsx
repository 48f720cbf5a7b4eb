import type { ReactNode } from "react"
import { Pressable, StyleSheet, Text, View } from "react-native"

const INK = "#1c1a2e"
const ACCENT = "#433bd6"

export const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: "#f6f4fb" },
  column: {
    flexGrow: 1,
    justifyContent: "center",
    gap: 16,
    paddingHorizontal: 24,
    paddingVertical: 64,
    maxWidth: 520,
    width: "100%",
    alignSelf: "center",
  },
  card: {
    gap: 12,
    padding: 20,
    borderRadius: 20,
    backgroundColor: "#fff",
    borderWidth: 1,
    borderColor: "#e2def0",
  },
  row: {
    flexDirection: "row",
    flexWrap: "wrap",
    alignItems: "center",
    justifyContent: "space-between",
    gap: 8,
  },
  title: { fontSize: 22, fontWeight: "700", color: INK },
  note: { fontSize: 14, color: "#67637c" },
  button: {
    paddingVertical: 10,
    paddingHorizontal: 16,
    borderRadius: 12,
    borderWidth: 1,
    borderColor: ACCENT,
  },
  main: { backgroundColor: ACCENT },
  label: { fontSize: 15, fontWeight: "600", textAlign: "center", color: ACCENT },
  mainLabel: { color: "#fff" },
  off: { opacity: 0.5 },
})

export const Card = ({ children }: { children: ReactNode }) => <View style={styles.card}>{children}</View>
export const Row = ({ children }: { children: ReactNode }) => <View style={styles.row}>{children}</View>
export const Title = ({ children }: { children: ReactNode }) => (
  <Text style={styles.title} accessibilityRole="header">
    {children}
  </Text>
)

/** `label` is what a test finds the text by. */
export const Note = ({ label, children }: { label: string; children: ReactNode }) => (
  <Text style={styles.note} testID={label}>
    {children}
  </Text>
)

export interface ButtonProps {
  label: string
  onPress(): unknown
  isMain?: boolean
  disabled?: boolean
}

export const Button = ({ label, onPress, isMain = false, disabled = false }: ButtonProps) => (
  <Pressable
    accessibilityRole="button"
    accessibilityLabel={label}
    disabled={disabled}
    onPress={() => void onPress()}
    style={[styles.button, isMain && styles.main, disabled && styles.off]}
  >
    <Text style={[styles.label, isMain && styles.mainLabel]}>{label}</Text>
  </Pressable>
)
