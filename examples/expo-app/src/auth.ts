import { createPkceClient } from "@pkce/client"
import { createPkceReact } from "@pkce/client/react"
import * as React from "react"
import { options } from "./platform"

export const auth = createPkceClient(options)
export const { PkceProvider, useLogin, useSession } = createPkceReact(React)
