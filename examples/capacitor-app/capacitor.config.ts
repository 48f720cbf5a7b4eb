import type { CapacitorConfig } from "@capacitor/cli"

const config: CapacitorConfig = { appId: "com.example.app", appName: "Pkce example", webDir: "dist" }

export default config
