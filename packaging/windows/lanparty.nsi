; The installer of the Windows client; packaging/windows/build makes it. Silently:
;   lanparty-client-VERSION-setup.exe /S [/CONFIG=FILE] [/SERVICE] [/D=FOLDER]     (/D last, without quotes)
;   uninstall.exe /S [/PURGE]                                                      (/PURGE: identity and configuration too)
; The TAP driver is not part of it: it is signed by its makers and comes from them.
Unicode true
!include "FileFunc.nsh"
!include "LogicLib.nsh"
!include "MUI2.nsh"

!define NAME "LAN party client"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\lanparty-client"
!define TAP_SITE "https://openvpn.net/community-downloads/"

Name "${NAME} ${VERSION}"
OutFile "${OUTPUT}"
InstallDir "$PROGRAMFILES64\lanparty"
RequestExecutionLevel admin
SetCompressor /SOLID lzma
ManifestDPIAware true
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "FileDescription" "${NAME} setup"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "MIT license"
!ifdef SIGN
!finalize '"${SIGN}" "%1"' = 0
!uninstfinalize '"${SIGN}" "%1"' = 0
!endif

!define MUI_COMPONENTSPAGE_SMALLDESC
!insertmacro MUI_PAGE_LICENSE "${FILES}/LICENSE.txt"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

Var State ; ProgramData\lanparty
Var Given ; of an option

; The client, run to its end without a window; its exit status into $0.
!macro RunClient ARGUMENTS
	nsExec::ExecToLog '"$INSTDIR\lanparty-client.exe" ${ARGUMENTS}'
	Pop $0
!macroend

Section "${NAME}" SectionClient
	SectionIn RO
	SetOutPath "$INSTDIR"
	${If} ${FileExists} "$INSTDIR\lanparty-client.exe"
		; An older one may run as a service; it starts again with its next installation below, or stays removed.
		!insertmacro RunClient "--service remove"
	${EndIf}
	ClearErrors
	File "${FILES}/lanparty-client.exe"
	${If} ${Errors}
		MessageBox MB_ICONSTOP "lanparty-client.exe is in use. End it, then install again." /SD IDOK
		SetErrorLevel 1
		Abort "lanparty-client.exe is in use"
	${EndIf}
	File "${FILES}/LICENSE.txt"
	File "${FILES}/windows.txt"

	CreateDirectory "$State"
	; ProgramData is writable for everybody; what is in here decides where this PC connects to.
	nsExec::ExecToLog '"$SYSDIR\icacls.exe" "$State" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F'
	Pop $0
	${GetParameters} $Given
	ClearErrors
	${GetOptions} $Given "/CONFIG=" $Given
	${IfNot} ${Errors}
		CopyFiles /SILENT "$Given" "$State\client.conf"
	${ElseIfNot} ${FileExists} "$State\client.conf"
		SetOutPath "$State"
		File "${FILES}/client.conf"
		SetOutPath "$INSTDIR"
	${EndIf}

	SetShellVarContext all
	CreateDirectory "$SMPROGRAMS\${NAME}"
	CreateShortCut "$SMPROGRAMS\${NAME}\Join the LAN party.lnk" "$SYSDIR\cmd.exe" \
		'/k ""$INSTDIR\lanparty-client.exe" --config "$State\client.conf""' "$INSTDIR\lanparty-client.exe"
	Push "$SMPROGRAMS\${NAME}\Join the LAN party.lnk"
	Call RunAsAdministrator
	CreateShortCut "$SMPROGRAMS\${NAME}\Configure.lnk" "$SYSDIR\notepad.exe" '"$State\client.conf"'
	Push "$SMPROGRAMS\${NAME}\Configure.lnk"
	Call RunAsAdministrator
	CreateShortCut "$SMPROGRAMS\${NAME}\Help.lnk" "$SYSDIR\notepad.exe" '"$INSTDIR\windows.txt"'

	WriteUninstaller "$INSTDIR\uninstall.exe"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
	WriteRegStr HKLM "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
	WriteRegStr HKLM "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
	WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoModify" 1
	WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoRepair" 1
	${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
	WriteRegDWORD HKLM "${UNINSTALL_KEY}" "EstimatedSize" $0

	; 3: there is no TAP adapter.
	!insertmacro RunClient "--list-tap-adapters"
	${If} $0 == 3
		DetailPrint "No TAP-Windows6 adapter found. Get the driver from ${TAP_SITE}"
		MessageBox MB_YESNO|MB_ICONINFORMATION "This PC has no TAP-Windows6 adapter yet, which the ${NAME} needs.$\n$\n\
			It comes with OpenVPN: install it from ${TAP_SITE} and choose the component $\"TAP-Windows6$\".$\n$\n\
			Open that page now?" /SD IDNO IDNO no_site
		ExecShell "open" "${TAP_SITE}"
		no_site:
	${EndIf}
SectionEnd

Section /o "Start with Windows (service)" SectionService
	!insertmacro RunClient '--service install --config "$State\client.conf"'
	${If} $0 != 0
		DetailPrint "The service was not installed (status $0): see the lines above"
		MessageBox MB_ICONEXCLAMATION "The service was not installed. Fill in $State\client.conf, then run as \
			administrator:$\n$\nlanparty-client --service install --config $\"$State\client.conf$\"" /SD IDOK
		SetErrorLevel 2
	${EndIf}
SectionEnd

; Sets the flag "run as administrator" of a shortcut, which is bit 5 of its byte 21 (MS-SHLLINK, RunAsUser).
Function RunAsAdministrator
	Exch $0
	Push $1
	Push $2
	FileOpen $1 "$0" a
	FileSeek $1 21
	FileReadByte $1 $2
	IntOp $2 $2 | 0x20
	FileSeek $1 21
	FileWriteByte $1 $2
	FileClose $1
	Pop $2
	Pop $1
	Pop $0
FunctionEnd

Function .onInit
	SetRegView 64
	SetShellVarContext all
	StrCpy $State "$APPDATA\lanparty" ; of all users: ProgramData
	${GetParameters} $Given
	ClearErrors
	${GetOptions} $Given "/SERVICE" $Given
	${IfNot} ${Errors}
		SectionSetFlags ${SectionService} ${SF_SELECTED}
	${EndIf}
FunctionEnd

Function un.onInit
	SetRegView 64
	SetShellVarContext all
	StrCpy $State "$APPDATA\lanparty"
FunctionEnd

Section "Uninstall"
	!insertmacro RunClient "--service remove"
	${If} $0 != 0
		MessageBox MB_ICONSTOP "The service could not be removed (status $0); nothing was uninstalled." /SD IDOK
		SetErrorLevel 1
		Abort "the service could not be removed"
	${EndIf}
	!insertmacro RunClient "--recover-routes"
	ClearErrors
	Delete "$INSTDIR\lanparty-client.exe"
	${If} ${Errors}
		MessageBox MB_ICONSTOP "lanparty-client.exe is in use. End it, then uninstall again." /SD IDOK
		SetErrorLevel 1
		Abort "lanparty-client.exe is in use"
	${EndIf}
	Delete "$INSTDIR\LICENSE.txt"
	Delete "$INSTDIR\windows.txt"
	Delete "$INSTDIR\uninstall.exe"
	RMDir "$INSTDIR"
	Delete "$SMPROGRAMS\${NAME}\Join the LAN party.lnk"
	Delete "$SMPROGRAMS\${NAME}\Configure.lnk"
	Delete "$SMPROGRAMS\${NAME}\Help.lnk"
	RMDir "$SMPROGRAMS\${NAME}"
	DeleteRegKey HKLM "${UNINSTALL_KEY}"
	Delete "$State\client.log"
	Delete "$State\client.log.old"
	${GetParameters} $Given
	ClearErrors
	${GetOptions} $Given "/PURGE" $Given
	${If} ${Errors}
		MessageBox MB_YESNO|MB_DEFBUTTON2 "Also remove this PC's identity and configuration? With another identity it gets \
			another MAC address, and another address at the party." /SD IDNO IDNO keep
	${EndIf}
	Delete "$State\client-identity.json"
	Delete "$State\client.conf"
	keep:
	RMDir "$State" ; when it is empty
SectionEnd
